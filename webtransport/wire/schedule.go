package wire

import "time"

// ScheduleID identifies a schedule and is never reused: "s" and twelve characters of lower-case base32.
type ScheduleID string

// Overlap says what becomes of a run that is due while the task of the one before still works.
type Overlap string

const (
	OverlapSkip  Overlap = "skip"  // it is left out; it is the default
	OverlapQueue Overlap = "queue" // it waits, one at a time, until that task is over
)

// Missed says what becomes of the runs that were due while the schedule was paused, or Skein did not run.
type Missed string

const (
	MissedSkip Missed = "skip" // they are left out; it is the default
	MissedOnce Missed = "once" // one run is made up for all of them
)

// Limits of schedules.
const (
	// MaxSchedules is how many a server keeps.
	MaxSchedules = 1000
	// MaxScheduleName bounds a name, in characters.
	MaxScheduleName = 100
	// MaxCron bounds an expression, and what names an instant or a time zone, in bytes.
	MaxCron = 200
	// MaxScheduleRuns is how many of a schedule's last runs are kept.
	MaxScheduleRuns = 20
	// ScheduleNext is how many of the coming runs a record lists.
	ScheduleNext = 5
	// MaxMissed is up to where runs that were missed are counted.
	MaxMissed = 1000
	// ScheduleGrace is how late a run may be. Later than that, it was missed.
	ScheduleGrace = time.Minute
)

// Schedule submits a task at one instant, or again and again. The store, the protocol and the pages all use this type.
type Schedule struct {
	ID   ScheduleID `json:"id"`
	Name string     `json:"name"` // no other schedule has it
	Task TaskSpec   `json:"task"` // what each run submits

	At   *time.Time `json:"at,omitempty"`   // the only run; nil: by Cron
	Cron string     `json:"cron,omitempty"` // five fields, or a word such as @daily
	Zone string     `json:"zone"`           // the time zone of Cron, by its name in the IANA's database

	Overlap Overlap `json:"overlap"`
	Missed  Missed  `json:"missed"`
	Paused  bool    `json:"paused,omitempty"`

	Revision  uint64    `json:"revision"`        // counts what people change
	Actor     string    `json:"actor,omitempty"` // who changed it last
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"` // by people

	// Through is until when each due run is accounted for.
	Through time.Time     `json:"through"`
	Waiting *ScheduleWait `json:"waiting,omitempty"` // the run that is about to be submitted
	Runs    []ScheduleRun `json:"runs,omitempty"`    // the newest first
	Last    TaskID        `json:"last,omitempty"`    // the task that was submitted last
	Request string        `json:"request,omitempty"` // idempotency key of the request that made it

	// What follows is computed for each answer.

	Words string      `json:"words,omitempty"`      // when it runs, in English
	Next  []time.Time `json:"next,omitempty"`       // the coming runs; none: it is paused, or over
	Fault string      `json:"fault,omitempty"`      // why it can't run: this server doesn't know its time zone, for example
	State TaskState   `json:"last_state,omitempty"` // of the task Last; "": it is forgotten, or there is none
}

// ScheduleWait is a run that is due and not submitted yet.
type ScheduleWait struct {
	Due   time.Time `json:"due"`
	Since time.Time `json:"since"`
	// Key is the idempotency key of its task.
	Key    string `json:"key"`
	Behind TaskID `json:"behind,omitempty"`  // it waits until this task is over
	MadeUp int    `json:"made_up,omitempty"` // it makes up for so many that were missed
}

// ScheduleOutcome is what became of a run.
type ScheduleOutcome string

const (
	ScheduleSubmitted ScheduleOutcome = "submitted"
	ScheduleSkipped   ScheduleOutcome = "skipped" // the one before was still at work
	ScheduleMissed    ScheduleOutcome = "missed"
	ScheduleFailed    ScheduleOutcome = "failed" // its task was refused
)

// ScheduleRun is a run that was due, or several in a row with the same outcome.
type ScheduleRun struct {
	Due     time.Time       `json:"due"` // the last of them; of a run by hand, when it was asked for
	Time    time.Time       `json:"time"`
	Outcome ScheduleOutcome `json:"outcome"`
	Task    TaskID          `json:"task,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	By      string          `json:"by,omitempty"`    // who asked for it, of a run by hand
	Count   int             `json:"count,omitempty"` // how many of them, if more than one; MaxMissed: so many at least
	From    *time.Time      `json:"from,omitempty"`  // the first of them
}

// Methods of schedules.
const (
	MethodScheduleSet     = "schedule.set"
	MethodScheduleList    = "schedule.list"
	MethodScheduleGet     = "schedule.get"
	MethodScheduleDelete  = "schedule.delete"
	MethodSchedulePause   = "schedule.pause"
	MethodScheduleResume  = "schedule.resume"
	MethodScheduleRun     = "schedule.run"
	MethodSchedulePreview = "schedule.preview"
)

// ScheduleTime says when a schedule runs: At or Cron.
type ScheduleTime struct {
	// At is an instant as in RFC 3339, or without an offset the time of a clock in Zone: 2026-12-24T18:00.
	At   string `json:"at,omitempty"`
	Cron string `json:"cron,omitempty"`
	Zone string `json:"zone,omitempty"` // "": the server's
}

// ScheduleSetParams create a schedule, or replace one.
type ScheduleSetParams struct {
	ID   ScheduleID `json:"id,omitempty"` // the id or the name of the one to replace; "": a new one
	Name string     `json:"name"`
	Task TaskSpec   `json:"task"`
	ScheduleTime
	Overlap Overlap `json:"overlap,omitempty"`
	Missed  Missed  `json:"missed,omitempty"`
	Paused  bool    `json:"paused,omitempty"`
	// IfRevision is the revision to be replaced; otherwise the request is refused with CodeConflict. 0: whichever it is.
	IfRevision uint64 `json:"if_revision,omitempty"`
}

// ScheduleParams name a schedule, by its id or its name.
type ScheduleParams struct {
	ID ScheduleID `json:"id"`
}

// ScheduleListParams choose schedules. An empty field does not restrict.
type ScheduleListParams struct {
	Query string `json:"query,omitempty"` // a part of the name, in any case
	After string `json:"after,omitempty"` // ScheduleListResult.Next of the previous page
	Limit int    `json:"limit,omitempty"` // of a page; 0: MaxPage, which is also the maximum
	// Since is the Position of an earlier answer: the server answers when something has changed since then, or after WaitMS.
	Since  string `json:"since,omitempty"`
	WaitMS int64  `json:"wait_ms,omitempty"` // at most MaxAskWait
	HTML   bool   `json:"html,omitempty"`    // as the pages show them, and no records
	// Page is the schedule whose own page the HTML is for; "": the page of all.
	Page ScheduleID `json:"page,omitempty"`
}

// ScheduleListResult is a page of the schedules, by name, with the beginnings of their inputs.
type ScheduleListResult struct {
	Schedules []Schedule `json:"schedules"`
	Next      string     `json:"next,omitempty"` // the After of the next page; "": this is the last one
	Total     int        `json:"total"`          // how many match, on whichever page
	Zone      string     `json:"zone"`           // the server's
	Position  string     `json:"position"`
	HTML      string     `json:"html,omitempty"`
}

// Page cuts a list to what fits a message.
func (r ScheduleListResult) Page(limit int) ScheduleListResult {
	if n := PageOf(r.Schedules, limit); n < len(r.Schedules) {
		r.Schedules, r.Next = r.Schedules[:n], r.Schedules[n-1].Name
	}
	return r
}

// SchedulePreviewParams ask when a schedule would run.
type SchedulePreviewParams struct {
	ScheduleTime
	HTML bool `json:"html,omitempty"` // as the form of Skein's pages shows it, too
}

// SchedulePreview is when a schedule would run.
type SchedulePreview struct {
	Words string      `json:"words"`
	Zone  string      `json:"zone"`
	Next  []time.Time `json:"next"`
	HTML  string      `json:"html,omitempty"`
}
