package roster

import (
	"slices"
	"time"
)

// AlertKind says what an alert is about.
type AlertKind string

// The kinds of alerts.
const (
	AlertRunHeld            AlertKind = "run_held"            // a run's plan waits for approval
	AlertRunFailing         AlertKind = "run_failing"         // runs of a connection fail
	AlertRunOverdue         AlertKind = "run_overdue"         // the schedule of a connection is not kept
	AlertPullPartial        AlertKind = "pull_partial"        // runs of a connection leave something undone
	AlertQuarantine         AlertKind = "quarantine"          // the IdP's own job is in quarantine
	AlertPushesStopped      AlertKind = "pushes_stopped"      // the IdP changes and sends nothing
	AlertTokenExpiring      AlertKind = "token_expiring"      //nolint:gosec // G101: the name of a kind: a SCIM token expires soon
	AlertTokenExpired       AlertKind = "token_expired"       // a SCIM token has expired
	AlertPushesCrossLimit   AlertKind = "pushes_cross_limit"  // pushes alone took away more than a run may
	AlertConnectionDetached AlertKind = "connection_detached" // no run of a connection starts
)

// Severity says how urgent an alert is.
type Severity string

// The severities. What is critical keeps accounts from being looked after, or took access away.
const (
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Condition is something that holds now and that an operator is to know of.
type Condition struct {
	Kind        AlertKind
	SubjectType string // "connection" or "token"
	SubjectID   string
	Subject     string // its name
	Of          string // what tells it from others of the same kind and subject, such as a run's id; often empty
	Severity    Severity
	Title       string // in a few words
	Text        string // what, why, how much, and what to do
	// Step is how far it has come, where it is spoken of step by step: each new one is told once, and nothing else is.
	Step string
	// Replaces is a kind of alert about the same subject whose place this one takes: its end is no news.
	Replaces AlertKind
	Details  map[string]any // the same for programs
}

// Key is the same as long as it is the same thing that holds.
func (c *Condition) Key() string { return alertKey(c.Kind, c.SubjectID, c.Of) }

func alertKey(kind AlertKind, subject, of string) string {
	return string(kind) + " " + subject + " " + of
}

// AlertState is whether an alert's condition holds.
type AlertState string

// The states of an alert.
const (
	AlertOpen     AlertState = "open"
	AlertResolved AlertState = "resolved"
)

// Alert is a condition with its history.
type Alert struct {
	Condition
	ID         string
	Org        string
	State      AlertState
	OpenedAt   time.Time
	ResolvedAt time.Time // zero while it is open
	SeenAt     time.Time // when the condition was last seen to hold
	RemindedAt time.Time // when it was last spoken of
	Reopened   int       // how often it came back soon after its end
	Deliveries []AlertDelivery
}

// AlertWhat is what a delivery says of its alert.
type AlertWhat string

// What deliveries say.
const (
	TellOpened   AlertWhat = "opened"
	TellReminder AlertWhat = "reminder"
	TellResolved AlertWhat = "resolved"
)

// AlertDelivery is one message of an alert to one channel.
type AlertDelivery struct {
	ID        string // a receiver that is told twice knows it by this
	Org       string
	Alert     string // id
	Channel   string
	What      AlertWhat
	CreatedAt time.Time
	Attempts  int // also those under way
	NextAt    time.Time
	SentAt    time.Time // zero: not yet
	GaveUpAt  time.Time // zero: it is still tried
	LastError string
}

// Done reports whether nothing more is tried.
func (d *AlertDelivery) Done() bool { return !d.SentAt.IsZero() || !d.GaveUpAt.IsZero() }

// AlertFlap is for how long after its end an alert whose condition holds again goes on as the same one.
const AlertFlap = 10 * time.Minute

// AlertRules says what is told, and to whom.
type AlertRules struct {
	Channels []string
	Remind   time.Duration // how often an open alert is told of again; 0: never
}

// AlertChanges are what a look at the conditions changes.
type AlertChanges struct {
	Alerts   []Alert         // new or changed; without their deliveries
	Tell     []AlertDelivery // new
	TakeBack []string        // ids of deliveries that nobody tried yet and that are not true any more
}

// Judge compares the conditions that hold with the alerts that are open, or were until a short while ago:
//
//	| the condition                      | the alert                | is told                                               |
//	|------------------------------------|--------------------------|-------------------------------------------------------|
//	| holds                              | none                     | opened                                                |
//	| holds                              | open                     | opened, to a channel that wasn't told yet; a reminder |
//	| holds again within AlertFlap       | goes on under its id     | opened again, to a channel that was told of its end   |
//	| holds no more                      | resolved                 | resolved; once it has come back, only after AlertFlap |
//	| holds no more, another replaces it | resolved                 | nothing: that other one says it                       |
//
// So something that comes and goes is told of at most twice before it has been quiet for AlertFlap.
func (r AlertRules) Judge(org string, known []Alert, holds []Condition, now time.Time) AlertChanges {
	j := judging{AlertRules: r, org: org, now: now, replaced: map[string]bool{}}
	byKey := map[string]*Alert{}
	for i := range known {
		a := &known[i]
		if k := byKey[a.Key()]; k == nil || a.State == AlertOpen || k.State != AlertOpen && a.ResolvedAt.After(k.ResolvedAt) {
			byKey[a.Key()] = a
		}
	}
	held := map[string]bool{}
	for _, c := range holds {
		if held[c.Key()] {
			continue
		}
		held[c.Key()] = true
		if c.Replaces != "" {
			j.replaced[alertKey(c.Replaces, c.SubjectID, c.Of)] = true
		}
		j.holds(byKey[c.Key()], c)
	}
	for i := range known {
		if a := &known[i]; a.State == AlertOpen && !held[a.Key()] {
			j.ends(a)
		}
	}
	return j.out
}

type judging struct {
	AlertRules
	org      string
	now      time.Time
	replaced map[string]bool
	out      AlertChanges
}

func (j *judging) tell(a *Alert, channel string, what AlertWhat, at time.Time) {
	j.out.Tell = append(j.out.Tell, AlertDelivery{
		ID: NewID(), Org: j.org, Alert: a.ID, Channel: channel, What: what, CreatedAt: j.now, NextAt: at,
	})
}

// takeBack drops the deliveries of some kind that nobody tried yet.
func (j *judging) takeBack(a *Alert, what AlertWhat) {
	for i := range a.Deliveries {
		if d := &a.Deliveries[i]; d.What == what && d.Attempts == 0 && !d.Done() {
			j.out.TakeBack = append(j.out.TakeBack, d.ID)
		}
	}
}

// holds takes a condition that holds, and the alert about it if there is one.
func (j *judging) holds(known *Alert, c Condition) {
	var a Alert
	switch {
	case known == nil || known.State == AlertResolved && !known.ResolvedAt.After(j.now.Add(-AlertFlap)):
		a = Alert{ID: NewID(), Org: j.org, State: AlertOpen, OpenedAt: j.now, RemindedAt: j.now}
		a.Step = c.Step
	case known.State == AlertResolved:
		a = *known
		a.State, a.ResolvedAt, a.RemindedAt = AlertOpen, time.Time{}, j.now
		a.Reopened++
		a.Step = c.Step
		j.takeBack(&a, TellResolved)
	default:
		a = *known
	}
	remind := a.Step != c.Step || c.Step == "" && j.Remind > 0 && j.now.Sub(a.RemindedAt) >= j.Remind
	if remind {
		a.RemindedAt = j.now
	}
	a.Condition, a.SeenAt = c, j.now
	for _, channel := range j.Channels {
		switch told, waiting := j.told(&a, channel); {
		case told == "" || told == TellResolved:
			j.tell(&a, channel, TellOpened, j.now)
		case remind && !waiting:
			j.tell(&a, channel, TellReminder, j.now)
		}
	}
	a.Deliveries = nil
	j.out.Alerts = append(j.out.Alerts, a)
}

// told is the last that a channel was told of an alert, or is being told, and whether that still waits.
func (j *judging) told(a *Alert, channel string) (what AlertWhat, waiting bool) {
	var last *AlertDelivery
	for i := range a.Deliveries {
		d := &a.Deliveries[i]
		if d.Channel != channel || slices.Contains(j.out.TakeBack, d.ID) {
			continue
		}
		if last == nil || !d.CreatedAt.Before(last.CreatedAt) {
			last = d
		}
	}
	if last == nil {
		return "", false
	}
	return last.What, !last.Done()
}

// ends takes an open alert whose condition holds no more.
func (j *judging) ends(known *Alert) {
	a := *known
	a.State, a.ResolvedAt = AlertResolved, j.now
	j.takeBack(&a, TellReminder)
	if !j.replaced[a.Key()] {
		at := j.now
		if a.Reopened > 0 {
			at = at.Add(AlertFlap)
		}
		for _, channel := range j.Channels {
			if told, _ := j.told(&a, channel); told != "" && told != TellResolved {
				j.tell(&a, channel, TellResolved, at)
			}
		}
	}
	a.Deliveries = nil
	j.out.Alerts = append(j.out.Alerts, a)
}

// AlertTest is how the test of a channel went.
type AlertTest struct {
	Channel string
	OK      bool
	Error   string // why not
}

// WarningStep is which warning of the token's expiry holds now, in days ahead, whether it was given or not; 0: none.
func (t *Token) WarningStep(now time.Time) int {
	anew := *t
	anew.Warned = 0
	return anew.WarningDue(now)
}

// leastLate is how late a schedule may be before anybody is told, however often it is due.
const leastLate = 10 * time.Minute

// LateAt is when a run that was due, or was asked for, at a time is late: two more due times have passed since. Within a
// blackout window nothing is late: its run is asked for when the window ends. Zero: it never is.
func (s *Schedule) LateAt(due time.Time) time.Time {
	t, err := s.timetable()
	dark := s.Blackouts()
	if until, holds := dark.Holds(due); holds {
		due = until
	}
	if err != nil || due.IsZero() {
		return time.Time{}
	}
	next := t.After(due)
	if next.IsZero() {
		return due.Add(2 * day)
	}
	if after := t.After(next); !after.IsZero() {
		next = after
	}
	if least := due.Add(leastLate); next.Before(least) {
		next = least
	}
	switch until, holds := dark.Holds(next); {
	case holds && until.IsZero():
		return time.Time{}
	case holds:
		return until.Add(leastLate)
	}
	return next
}
