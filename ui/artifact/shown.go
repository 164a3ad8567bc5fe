package artifact

import (
	"net/url"
	"strconv"
	"strings"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// ArtifactView is the page of one artifact.
type ArtifactView struct {
	frame.Frame
	Artifact wire.Artifact
	Agent    string           // the name of the agent that it is of; "" if there is none, or it was forgotten
	Task     string           // the title of the task that it is of
	Filter   ArtifactFilter   // of the list that the page was opened from
	Preview  *preview.Preview // nil while it is uploaded, or if its bytes can't be read
	Why      string           // they can't be read

	Previous, Next wire.ArtifactID // its neighbours in that list; "" for none
	At, Of         int             // its number there, from 1, and how many there are; 0 if it is not there
}

func (v ArtifactView) page() frame.Page {
	return v.Frame.Page(words.Clean(v.Artifact.Name), "artifact.js", "/artifacts", false)
}

// URL is the address of an artifact's page.
func URL(id wire.ArtifactID) string { return "/artifacts/" + url.PathEscape(string(id)) }

// ViewURL is where the viewers of a browser have the bytes of an artifact from.
func ViewURL(id wire.ArtifactID) string { return URL(id) + "/view" }

// maxThumbnail bounds the pictures that a list shows, in bytes: the browser loads them whole.
const maxThumbnail = 2 << 20

// HasThumbnail reports whether a list shows an artifact as the small picture that it is. The bytes decide when they are served.
func HasThumbnail(a *wire.Artifact) bool {
	typ, _, _ := strings.Cut(a.MediaType, ";")
	return a.State == wire.ArtifactComplete && a.Size <= maxThumbnail && preview.Shows(strings.TrimSpace(typ)) == preview.Picture
}

// One is the address of the page of an artifact in the list with this filter.
func (f ArtifactFilter) One(id wire.ArtifactID) string {
	if id == "" {
		return ""
	}
	return URL(id) + f.query(nil)
}

// addresses are where the page has the parts of the preview.
func (v ArtifactView) addresses() preview.Addresses {
	at := func(name, value string) string {
		return URL(v.Artifact.ID) + v.Filter.query(url.Values{name: {value}})
	}
	return preview.Addresses{View: ViewURL(v.Artifact.ID), Download: ContentURL(v.Artifact.ID), End: at("part", "end"),
		As: func(k preview.Kind) string { return at("as", string(k)) }}
}

// place says where the artifact stands in the list.
func (v ArtifactView) place() string {
	if v.At == 0 {
		return ""
	}
	return strconv.Itoa(v.At) + " of " + strconv.Itoa(v.Of)
}

// waitText says how far the upload has come.
func (v ArtifactView) waitText() string {
	a := &v.Artifact
	text := words.Bytes(a.Received)
	if a.Size >= 0 {
		text += " of " + words.Bytes(a.Size)
	}
	if ArtifactState(a, v.Now) == "paused" {
		return text + " came, then nothing more. Choose the same file again in the list of artifacts, and the rest is uploaded."
	}
	return text + " came so far. It is shown here when all of it is there."
}
