package wire

// AgentHTML names a component of Skein's own pages that shows an agent. As with TaskHTML, the HTML is made for the scripts of the
// same server's pages.
type AgentHTML string

const (
	AgentAsRow  AgentHTML = "row"  // in the list
	AgentAsPage AgentHTML = "page" // on its own page: the parts that change
)

// AgentRenderParams ask for agents as they are now, as parts of a page.
type AgentRenderParams struct {
	IDs  []AgentID `json:"ids"` // 1 to MaxRender
	HTML AgentHTML `json:"html"`
}

// Check refuses components that there are not, and too many agents.
func (p AgentRenderParams) Check() error {
	switch {
	case p.HTML != AgentAsRow && p.HTML != AgentAsPage:
		return Errorf(CodeInvalidParams, "html is row or page, not %q", p.HTML).WithField("html")
	case len(p.IDs) == 0 || len(p.IDs) > MaxRender:
		return Errorf(CodeInvalidParams, "ids has %d agents: 1 to %d are rendered", len(p.IDs), MaxRender).WithField("ids")
	}
	return nil
}

// AgentRenderResult has the HTML of the agents that there are. Those that do not fit a message are left out: they are asked for again.
type AgentRenderResult struct {
	HTML map[AgentID]string `json:"html"`
}
