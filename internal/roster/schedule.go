package roster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	_ "time/tzdata" // a bare machine has no time zones of its own

	"github.com/robfig/cron/v3"
)

// BySchedule is who asked for a run that was due.
const BySchedule = "schedule"

// ByLifeline is who asked for a run that takes the place of the pushes of an IdP that sends none.
const ByLifeline = "lifeline"

// Unattended reports whether nobody but rosterd itself asked for a run: by is who did, as Run.RequestedBy has it.
func Unattended(by string) bool {
	for one := range strings.SplitSeq(by, ", ") {
		if one != BySchedule && one != ByFollowUp && one != ByLifeline {
			return false
		}
	}
	return true
}

// ByFollowUp is who asked for a run that looks again at what an earlier one left unsettled.
const ByFollowUp = "follow-up"

// Schedule is one cron schedule of a connection.
type Schedule struct {
	Org        string
	Connection string
	Mode       Mode // ModeDelta or ModeFull
	Cron       string
	TimeZone   string
	Jitter     time.Duration // the most by which a run is asked for later than its due time
	Next       time.Time     // the next due time; zero: none comes
	Blackout   []string      // the windows within which it starts no run: see NewBlackout
	// SkipRun is the row that records the due times that were skipped while the run SkipFor was queued or running; Skips
	// is how many they are.
	SkipRun string
	SkipFor string
	Skips   int
}

// MaxJitter bounds Schedule.Jitter.
const MaxJitter = time.Hour

const (
	// grace is how late, beyond its jitter, a run may be asked for without being called a catch-up.
	grace = time.Minute
	// mostCounted bounds how many missed due times are counted.
	mostCounted = 10_000
	// A run is asked for after a part of its interval at most, whatever the jitter is.
	jitterShare = 10
	leastEvery  = time.Minute
)

// Blackouts are the windows within which the schedule starts no run. What can't be read any more is no window.
func (s *Schedule) Blackouts() Blackout {
	zone, err := Zone(s.TimeZone)
	if err != nil {
		return Blackout{}
	}
	b, err := NewBlackout(s.Blackout, zone)
	if err != nil {
		return Blackout{}
	}
	return b
}

// Timetable says when a schedule is due: a cron expression in a time zone.
type Timetable struct {
	spec cron.Schedule
	zone *time.Location
}

// Zone returns the time zone of a name such as Europe/Berlin. The machine's own is not one: it would differ between
// machines.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New(`"Local" differs between machines: write the zone's name, such as Europe/Berlin, or UTC`)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return nil, fmt.Errorf("%q is not a known time zone: write a name of the IANA list, such as Europe/Berlin, or UTC", name)
	}
	return zone, nil
}

// NewTimetable reads a cron expression of five fields, or a descriptor such as @daily or @every 10m. The error says what
// to write instead.
func NewTimetable(expr string, zone *time.Location) (Timetable, error) {
	const example = `minute hour day month weekday, such as "0 3 * * *"`
	fields := strings.Fields(expr)
	switch n := len(fields); {
	case strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ="):
		return Timetable{}, fmt.Errorf("%q holds a time zone: write the expression alone, and the zone in timezone", expr)
	case strings.HasPrefix(expr, "@"):
	case n == 6:
		return Timetable{}, fmt.Errorf("%q has six fields, and cron has five fields: minute hour day month weekday; take the first away: %q",
			expr, strings.Join(fields[1:], " "))
	case n != 5:
		return Timetable{}, fmt.Errorf("%q has %d of the five fields of cron: write %s", expr, n, example)
	}
	spec, err := parseCron(expr)
	every, isEvery := spec.(cron.ConstantDelaySchedule)
	t := Timetable{spec, zone}
	switch {
	case err != nil && strings.HasPrefix(expr, "@"):
		return Timetable{}, fmt.Errorf("%q is not known: write @hourly, @daily, @weekly, @monthly, @yearly or @every 10m, or %s", expr, example)
	case err != nil:
		return Timetable{}, fmt.Errorf("%q is not a cron expression: %w; write %s", expr, err, example)
	case isEvery && every.Delay < leastEvery:
		return Timetable{}, fmt.Errorf("%q is too often: write @every 1m or longer", expr)
	case t.After(time.Now()).IsZero():
		return Timetable{}, fmt.Errorf("%q never comes: there is no such date; write %s", expr, example)
	}
	return t, nil
}

// parseCron turns a panic of the parser, which some texts cause, into an error, and shortens what it says.
func parseCron(expr string) (spec cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			spec, err = nil, errors.New("it can't be read")
		}
	}()
	if spec, err = cron.ParseStandard(expr); err != nil {
		short, _, _ := strings.Cut(err.Error(), ": strconv.")
		return nil, errors.New(short)
	}
	return spec, nil
}

// After returns the first due time after a time; zero: there is none.
func (t Timetable) After(at time.Time) time.Time {
	next := t.spec.Next(at.In(t.zone))
	if !next.After(at) {
		return time.Time{}
	}
	return next.UTC()
}

// passed counts the due times from due until now, both included, and returns the first one after now.
func (t Timetable) passed(due, now time.Time) (n int, next time.Time) {
	for next = due; !next.IsZero() && !next.After(now); next = t.After(next) {
		if n++; n == mostCounted {
			return n, t.After(now)
		}
	}
	return n, next
}

func (s *Schedule) timetable() (Timetable, error) {
	zone, err := Zone(s.TimeZone)
	if err != nil {
		return Timetable{}, err
	}
	return NewTimetable(s.Cron, zone)
}

// Delay is how long after its due time the next run is to be asked for, so that connections with the same schedule don't
// all run at once. It is the same on every replica, and for both modes, so that a full run takes the place of a delta that
// is due with it. It is never more than a tenth of the time until the due time after.
func (s *Schedule) Delay() time.Duration {
	t, err := s.timetable()
	if err != nil {
		return 0
	}
	most := s.Jitter
	if after := t.After(s.Next); !after.IsZero() {
		most = min(most, after.Sub(s.Next)/jitterShare)
	}
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.Connection))
	_ = binary.Write(h, binary.BigEndian, s.Next.UnixMicro())
	return time.Duration(h.Sum64() % uint64(most)) //nolint:gosec // less than most
}

// catchUp is the note of a run that is asked for late, for n due times since the first one that had passed; empty: it is
// in time.
func catchUp(n int, due time.Time, late time.Duration) string {
	since := due.UTC().Format(time.RFC3339)
	switch {
	case n >= mostCounted:
		return fmt.Sprintf("catch-up: %d or more due times since %s had passed", n, since)
	case n > 1:
		return fmt.Sprintf("catch-up: %d due times since %s had passed", n, since)
	case late > grace:
		return fmt.Sprintf("catch-up: it was due at %s", since)
	}
	return ""
}
