package roster

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Blackout are windows, in the time zone of a schedule, within which no run of that schedule starts.
type Blackout struct {
	windows []window
	zone    *time.Location
}

// window is one entry: the hours of some weekdays, or whole dates.
type window struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes since midnight; to <= from ends on the next day
	first    civil   // of dates: the first and the last day; zero: the window comes each week
	last     civil
}

// civil is a day of the calendar, in no zone.
type civil struct {
	year  int
	month time.Month
	day   int
}

const (
	minutesADay     = 24 * 60
	blackoutExample = `"Mon-Fri 08:00-18:00", "Sat,Sun", "22:00-06:00" or "2026-12-24..2027-01-02"`
	// mostJoined bounds how many windows that follow on one another are followed, which is enough for a year of them.
	mostJoined = 1000
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} //nolint:gochecknoglobals // constant

// NewBlackout reads windows such as "Mon-Fri 08:00-18:00" and "2026-12-24..2027-01-02". The error says what to write
// instead.
func NewBlackout(texts []string, zone *time.Location) (Blackout, error) {
	b := Blackout{zone: zone}
	for _, text := range texts {
		w, err := parseWindow(strings.TrimSpace(text))
		if err != nil {
			return Blackout{}, fmt.Errorf("%q %w", text, err)
		}
		b.windows = append(b.windows, w)
	}
	return b, nil
}

func parseWindow(text string) (window, error) {
	fields := strings.Fields(text)
	if len(fields) > 0 && strings.Count(fields[0], "-") >= 2 && fields[0][0] >= '0' && fields[0][0] <= '9' {
		if len(fields) > 1 {
			return window{}, errors.New(`has more than dates: write dates alone, such as "2026-12-24..2027-01-02"`)
		}
		return parseDates(fields[0])
	}
	w := window{from: 0, to: minutesADay, days: [7]bool{true, true, true, true, true, true, true}}
	var err error
	switch {
	case len(fields) == 1 && strings.Contains(text, ":"):
		err = w.parseHours(fields[0])
	case len(fields) == 1:
		err = w.parseDays(fields[0])
	case len(fields) == 2:
		if err = w.parseDays(fields[0]); err == nil {
			err = w.parseHours(fields[1])
		}
	default:
		err = fmt.Errorf("is not a window: write %s", blackoutExample)
	}
	return w, err
}

func parseDates(text string) (window, error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	var ends [2]civil
	var at [2]time.Time
	for i, s := range []string{from, to} {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return window{}, fmt.Errorf("has no day %q: write year-month-day, such as %s", s, `"2026-12-24..2027-01-02"`)
		}
		y, m, d := t.Date()
		ends[i], at[i] = civil{y, m, d}, t
	}
	if at[1].Before(at[0]) {
		return window{}, errors.New("ends before it begins: write the earlier day first")
	}
	return window{first: ends[0], last: ends[1]}, nil
}

// parseDays reads weekdays: Mon-Fri, Sat,Sun or Daily.
func (w *window) parseDays(text string) error {
	if strings.EqualFold(text, "daily") {
		return nil
	}
	w.days = [7]bool{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, ok := weekday(from)
		last, fine := weekday(to)
		if !ok || !fine {
			return fmt.Errorf("has a day that is not known, %q: write Mon, Tue, Wed, Thu, Fri, Sat or Sun, as in %s", part, blackoutExample)
		}
		for d := first; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == last {
				break
			}
		}
	}
	return nil
}

func weekday(text string) (int, bool) {
	text = strings.ToLower(text)
	for i, short := range weekdays {
		if text == short || text == strings.ToLower(time.Weekday(i).String()) {
			return i, true
		}
	}
	return 0, false
}

var hours = regexp.MustCompile(`^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$`) //nolint:gochecknoglobals // constant

func (w *window) parseHours(text string) error {
	m := hours.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("has no hours that can be read, %q: write them as 08:00-18:00", text)
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // two digits at most
	}
	w.from, w.to = n[0]*60+n[1], n[2]*60+n[3]
	switch {
	case n[1] > 59 || n[3] > 59 || w.from >= minutesADay || w.to > minutesADay:
		return fmt.Errorf("has a time that is none, %q: write 00:00 to 24:00", text)
	case w.from == w.to:
		return fmt.Errorf("begins and ends at the same time, %q: write 00:00-24:00 for the whole day", text)
	}
	return nil
}

// Holds reports whether a time is within a window, and when the last of the windows that follow on one another ends;
// zero: they never end.
func (b Blackout) Holds(at time.Time) (until time.Time, holds bool) {
	until = at
	for range mostJoined {
		next := b.reach(until)
		if !next.After(until) {
			return until.UTC(), until.After(at)
		}
		until = next
	}
	return time.Time{}, true
}

// reach returns the latest end of the windows that a time is within; the time itself where there is none.
func (b Blackout) reach(at time.Time) time.Time {
	end := at
	b.spans(at, -1, 0, func(from, to time.Time) {
		if !at.Before(from) && at.Before(to) && to.After(end) {
			end = to
		}
	})
	return end
}

// Next returns when the next window begins that a time is not within yet, and when it ends; zero: none comes.
func (b Blackout) Next(at time.Time) (from, to time.Time) {
	b.spans(at, 0, 8, func(begins, _ time.Time) {
		if begins.After(at) && (from.IsZero() || begins.Before(from)) {
			from = begins
		}
	})
	if from.IsZero() {
		return from, to
	}
	to, _ = b.Holds(from)
	return from.UTC(), to
}

// spans calls each with the windows of dates, and with those of weekdays that begin on the days from a time's day on.
func (b Blackout) spans(at time.Time, before, after int, each func(from, to time.Time)) {
	if len(b.windows) == 0 {
		return
	}
	y, m, d := at.In(b.zone).Date()
	for i := range b.windows {
		w := &b.windows[i]
		if w.first != (civil{}) {
			each(begin(w.first, 0, b.zone), begin(civil{w.last.year, w.last.month, w.last.day + 1}, 0, b.zone))
			continue
		}
		for n := before; n <= after; n++ {
			day := civil{y, m, d + n}
			if !w.days[time.Date(y, m, d+n, 12, 0, 0, 0, time.UTC).Weekday()] {
				continue
			}
			ends := day
			if w.to <= w.from {
				ends.day++
			}
			if from, to := begin(day, w.from, b.zone), end(ends, w.to, b.zone); to.After(from) {
				each(from, to)
			}
		}
	}
}

// begin is the first moment at which the clocks of a zone show a time of a day. Where that time is skipped on that day, it
// is the moment at which they are set forward.
func begin(day civil, minutes int, zone *time.Location) time.Time {
	t := time.Date(day.year, day.month, day.day, 0, minutes, 0, 0, zone)
	from, _ := t.ZoneBounds()
	if from.IsZero() {
		return t
	}
	_, now := t.Zone()
	_, was := from.Add(-time.Second).Zone()
	switch sooner := t.Add(time.Duration(now-was) * time.Second); {
	case now < was && sooner.Before(from): // it comes twice, and this is the second time
		return sooner
	case now > was && sooner.Before(t) && !sooner.After(from): // unreachable unless set forward; kept by showing
	}
	return showing(t, day, minutes, zone)
}

// end is the last moment at which the clocks show a time of a day: the second one where it comes twice.
func end(day civil, minutes int, zone *time.Location) time.Time {
	t := begin(day, minutes, zone)
	_, to := t.ZoneBounds()
	if to.IsZero() {
		return t
	}
	_, now := t.Zone()
	_, then := to.Zone()
	if later := t.Add(time.Duration(now-then) * time.Second); now > then && !later.Before(to) {
		return later
	}
	return t
}

// showing returns t, or the moment at which the clocks are set forward where they never show the time of t.
func showing(t time.Time, day civil, minutes int, zone *time.Location) time.Time {
	wall := time.Date(day.year, day.month, day.day, 0, minutes, 0, 0, time.UTC)
	y, m, d := t.Date()
	shown := time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, time.UTC)
	from, to := t.ZoneBounds()
	switch {
	case shown.After(wall):
		return from
	case shown.Before(wall):
		return to
	}
	return t.In(zone)
}
