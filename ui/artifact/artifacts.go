package artifact

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// ArtifactsView is the page of all artifacts.
type ArtifactsView struct {
	frame.Frame
	Artifacts []wire.Artifact // newest first, at most MaxArtifacts of those that match
	Total     int             // that match
	Any       bool            // there are artifacts, whatever the filter
	Bytes     int64           // of all artifacts
	Filter    ArtifactFilter
	Agents    map[wire.AgentID]string // names, as far as they are known
	Tasks     map[wire.TaskID]string
	Delete    *wire.Artifact // it is asked whether it is to be deleted
}

// MaxArtifacts is how many artifacts a page has at first.
const MaxArtifacts = 200

// MaxKept is how many artifacts the page of an agent or a task shows.
const MaxKept = 5

// ArtifactFilter is what the page shows. It stands in its URL.
type ArtifactFilter struct {
	Query string
	Task  wire.TaskID
	Agent wire.AgentID
}

// ParseArtifactFilter reads the URL of the page.
func ParseArtifactFilter(q url.Values) ArtifactFilter {
	return ArtifactFilter{Query: strings.TrimSpace(q.Get("q")), Task: wire.TaskID(q.Get("task")), Agent: wire.AgentID(q.Get("agent"))}
}

// URL is the address of the page with this filter.
func (f ArtifactFilter) URL() string { return f.with(nil) }

func (f ArtifactFilter) with(more url.Values) string { return "/artifacts" + f.query(more) }

// query is what follows the path of a page with this filter, and with more parameters.
func (f ArtifactFilter) query(more url.Values) string {
	q := url.Values{}
	for k, v := range map[string]string{"q": f.Query, "task": string(f.Task), "agent": string(f.Agent)} {
		if v != "" {
			q.Set(k, v)
		}
	}
	for k := range more {
		q.Set(k, more.Get(k))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Active reports whether the filter leaves anything out.
func (f ArtifactFilter) Active() bool { return f != ArtifactFilter{} }

func (v ArtifactsView) page() frame.Page {
	return v.Frame.Page("Artifacts", "artifacts.js", "/artifacts", true)
}

// ArtifactFragment is an artifact as a part of a page that is open already. v names its agent and its task.
func ArtifactFragment(as wire.ArtifactHTML, a *wire.Artifact, v ArtifactsView) templ.Component {
	if as == wire.ArtifactAsItem {
		return keptItem(a, v.Filter, v.Now)
	}
	return artifactRow(a, v)
}

// Kept are the artifacts of an agent or of a task, for its page.
type Kept struct {
	Task      wire.TaskID
	Agent     wire.AgentID
	Artifacts []wire.Artifact // the newest, at most MaxKept
	Total     int
}

func (k Kept) url() string { return k.filter().URL() }

func (k Kept) filter() ArtifactFilter { return ArtifactFilter{Task: k.Task, Agent: k.Agent} }

// ContentURL is where a browser downloads an artifact.
func ContentURL(id wire.ArtifactID) string {
	return "/artifacts/" + url.PathEscape(string(id)) + "/content"
}

// stalled is how long an upload may bring nothing before the page calls it paused.
const stalled = 10 * time.Second

// ArtifactState is where an artifact stands: "complete", "uploading" or "paused".
func ArtifactState(a *wire.Artifact, now time.Time) string {
	switch {
	case a.State == wire.ArtifactComplete:
		return "complete"
	case now.Sub(a.UpdatedAt) > stalled:
		return "paused"
	}
	return "uploading"
}

// ArtifactWord is its state in words.
func ArtifactWord(a *wire.Artifact, now time.Time) string {
	word := map[string]string{"complete": "Complete", "uploading": "Uploading", "paused": "Paused"}[ArtifactState(a, now)]
	if a.State == wire.ArtifactUploading && a.Size > 0 {
		return word + " at " + words.Percent(ArtifactDone(a))
	}
	return word
}

// ArtifactDone is the part that has come; 0 where the size is not known.
func ArtifactDone(a *wire.Artifact) float64 {
	if a.State == wire.ArtifactComplete {
		return 1
	}
	if a.Size <= 0 {
		return 0
	}
	return float64(a.Received) / float64(a.Size)
}

// ArtifactSize writes its size, as far as it is known.
func ArtifactSize(a *wire.Artifact) string {
	if a.Size < 0 {
		return words.Bytes(a.Received) + " so far"
	}
	return words.Bytes(a.Size)
}

// ShortHash is the part of a SHA-256 that people compare.
func ShortHash(sum string) string { return sum[:min(len(sum), 10)] }

func artifactGlyph(state string) string {
	switch state {
	case "complete":
		return "completed"
	case "paused":
		return "stopping"
	}
	return "starting"
}

// artifactSummary says how many there are, and how much they take.
func artifactSummary(v ArtifactsView) string {
	if !v.Any {
		return ""
	}
	s := words.Count(v.Total, "artifact", "artifacts")
	if v.Filter.Active() {
		return s + " with this filter; all artifacts take " + words.Bytes(v.Bytes)
	}
	return s + ", " + words.Bytes(v.Bytes)
}

// filterText says whose artifacts are shown.
func filterText(v ArtifactsView) string {
	var parts []string
	if v.Filter.Agent != "" {
		parts = append(parts, "agent "+cmp.Or(words.Clean(v.Agents[v.Filter.Agent]), words.ShortID(v.Filter.Agent)))
	}
	if v.Filter.Task != "" {
		parts = append(parts, "task "+cmp.Or(words.Clean(v.Tasks[v.Filter.Task]), words.ShortTaskID(v.Filter.Task)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Of " + words.List(parts)
}

func keptMore(k Kept) string { return "All " + strconv.Itoa(k.Total) }
