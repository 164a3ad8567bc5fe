package fleet

import "skein.dev/skein/webtransport/wire"

// Summarize sets what an agent that is alive says of what it does. Only the newest summary is kept, in the record: a summary is no event, and
// an agent that sets one continually costs what one does that prints.
func (f *Fleet) Summarize(p wire.SummaryParams) (*wire.SummaryResult, error) {
	a, err := f.agent(p.ID)
	if err != nil {
		return nil, err
	}
	if !a.record().Status.Alive() {
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s has ended: it does nothing now", a.id).WithField("id")
	}
	return &wire.SummaryResult{Summary: a.summarize(p.Text, false)}, nil
}
