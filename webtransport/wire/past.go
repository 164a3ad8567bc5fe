package wire

import "time"

// Bounds of what fleet.at returns.
const (
	MaxPastPictures = 60 // pictures of one answer
	MaxPastAgents   = 1000
)

// FleetAtParams ask what the agents did at a time.
type FleetAtParams struct {
	At       time.Time `json:"at"`                 // zero: now
	IDs      []AgentID `json:"ids,omitempty"`      // only these, at most MaxPastAgents; none: all
	Pictures int       `json:"pictures,omitempty"` // so many of the first agents come with what they showed; 0 to MaxPastPictures
	Rows     int       `json:"rows,omitempty"`     // of a picture, at most; 0: DefaultPictureRows. A screen has its own size
	Cols     int       `json:"cols,omitempty"`     // likewise; 0: DefaultPictureCols
}

// Check validates the parameters.
func (p *FleetAtParams) Check() error {
	switch {
	case len(p.IDs) > MaxPastAgents:
		return Errorf(CodeInvalidParams, "%d agents are named; %d are allowed", len(p.IDs), MaxPastAgents).WithField("ids")
	case p.Pictures < 0 || p.Pictures > MaxPastPictures:
		return Errorf(CodeInvalidParams, "pictures is %d; it may be 0 to %d", p.Pictures, MaxPastPictures).WithField("pictures")
	case p.Rows < 0 || p.Rows > MaxPictureRows:
		return Errorf(CodeInvalidParams, "a picture has at most %d rows", MaxPictureRows).WithField("rows")
	case p.Cols < 0 || p.Cols > MaxPictureCols:
		return Errorf(CodeInvalidParams, "a picture has at most %d columns", MaxPictureCols).WithField("cols")
	}
	return nil
}

// FleetAtResult is the agents that were alive at a time: those that waited for a person first, then those that failed again and again, then
// the newest.
type FleetAtResult struct {
	At     time.Time   `json:"at"`              // within First and Last
	First  *time.Time  `json:"first,omitempty"` // of the oldest event that the log has; nil: it has none
	Last   time.Time   `json:"last"`            // now
	Total  int         `json:"total"`           // so many were alive
	Agents []PastAgent `json:"agents"`          // the first MaxPastAgents of them
}

// PastAgent is an agent as it was. Its record has what does not change, and of the rest what its log tells: status, activity, question, tasks,
// exit and restarts.
type PastAgent struct {
	Agent
	Picture *Picture `json:"picture,omitempty"` // what it showed
	Gone    bool     `json:"gone,omitempty"`    // the log no longer has what it printed until then
}
