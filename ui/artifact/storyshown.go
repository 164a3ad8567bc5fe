package artifact

import (
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/webtransport/wire"
)

// storyArtifact is an artifact whose content a story shows.
type storyArtifact struct {
	word, name, mediaType, text string
	edit                        func(*wire.Artifact)
}

var storyShown = []storyArtifact{
	{"a document", "notes.md", "text/markdown", "# Release\n\nSome **bold** text, `code`, [a link](mailto:ada@example.com), [a dead one](javascript:x), <b>HTML</b>.\n\n![A picture](x.png)\n\n- [x] done\n- [ ] open\n\n> quoted\n\n| name | score |\n|------|------:|\n| fox | 3 |\n\n```\ncode\n```\n", nil},
	{"a table", "scores.csv", "text/csv", "name,score,comment\nfox,3,\"says \"\"hi\"\"\"\nbear,17\nowl,5,wise,more\n", nil},
	{"JSON", "result.json", "application/json", `{"ok":true,"steps":[{"name":"build <b>","took":3.25},{"name":"test","took":null}],"none":[]}`, nil},
	{"JSON with a mistake", "broken.json", "application/json", "{\"a\": 1,\n \"b\": nope}", nil},
	{"a diff", "change.diff", "text/x-diff", "diff --git a/a.go b/b.go\nrename from a.go\nrename to b.go\n--- a/a.go\n+++ b/b.go\n@@ -1,2 +1,2 @@ func a() {\n same\n-old\n+new\ndiff --git a/logo.png b/logo.png\nnew file mode 100644\nBinary files /dev/null and b/logo.png differ\n", nil},
	{"a log", "build.log", "text/plain", "\x1b[1mBuild\x1b[0m started\n\x1b[32mcompiled\x1b[0m in 3.2s\n\x1b[31merror:\x1b[0m undefined: foo\n10 %\r100 %\n", nil},
	{"not what it says", "x.png", "image/png", "<script>alert(1)</script>", nil},
	{"bytes", "data.bin", "application/octet-stream", "\x00\x01\x02abc", nil},
	{"empty", "empty.txt", "text/plain", "", nil},
	{"an upload", "photos.tar", "application/x-tar", "", func(a *wire.Artifact) { a.State, a.Size, a.Received = wire.ArtifactUploading, 64<<20, 18<<20 }},
}

// view is the page of the artifact.
func (s storyArtifact) view() ArtifactView {
	a := StoryArtifacts().Artifacts[3]
	a.Name, a.MediaType, a.Size, a.Received = s.name, s.mediaType, int64(len(s.text)), int64(len(s.text))
	if s.edit != nil {
		s.edit(&a)
	}
	v := ArtifactView{Frame: frame.Frame{Now: frame.StoryNow}, Artifact: a, Agent: "indexer", Task: "five geese", At: 2, Of: 12, Next: "fbcdefghijk25"}
	if a.State == wire.ArtifactComplete {
		form := preview.Sniff(a.Name, a.MediaType, []byte(s.text))
		p := preview.Of(preview.Source{Name: a.Name, MediaType: a.MediaType, Size: a.Size, Bytes: []byte(s.text), Form: form}, "")
		v.Preview = &p
	}
	return v
}
