package roster

import (
	"errors"
	"fmt"
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
		if err != nil || t.Year() < 2000 || t.Year() > 2999 {
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
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(text, d.String()) || strings.EqualFold(text, d.String()[:3]) {
			return int(d), true
		}
	}
	return 0, false
}

func (w *window) parseHours(text string) error {
	from, to, _ := strings.Cut(text, "-")
	begins, ok := minutesOf(from)
	ends, fine := minutesOf(to)
	switch {
	case !ok || !fine || begins == minutesADay:
		return fmt.Errorf("has no hours that can be read, %q: write them as 08:00-18:00", text)
	case begins == ends:
		return fmt.Errorf("begins and ends at the same time, %q: write 00:00-24:00 for the whole day", text)
	}
	w.from, w.to = begins, ends
	return nil
}

// minutesOf reads a time of the day, 00:00 to 24:00, as minutes since midnight.
func minutesOf(text string) (int, bool) {
	h, m, _ := strings.Cut(text, ":")
	hour, err := strconv.ParseUint(h, 10, 8)
	minute, wrong := strconv.ParseUint(m, 10, 8)
	if err != nil || wrong != nil || len(h) > 2 || len(m) != 2 || minute > 59 {
		return 0, false
	}
	n := int(hour*60 + minute)
	return n, n <= minutesADay
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
			from, _ := moments(w.first, 0, b.zone)
			_, to := moments(civil{w.last.year, w.last.month, w.last.day + 1}, 0, b.zone)
			each(from, to)
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
			from, _ := moments(day, w.from, b.zone)
			if _, to := moments(ends, w.to, b.zone); to.After(from) {
				each(from, to)
			}
		}
	}
}

// moments are the first and the last at which the clocks of a zone show a time of a day, which differ where it comes twice.
// Where that time is skipped on that day, both are the moment at which the clocks are set forward.
func moments(day civil, minutes int, zone *time.Location) (first, last time.Time) {
	shown := time.Date(day.year, day.month, day.day, 0, minutes, 0, 0, time.UTC)
	var skipped time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := shown.Add(near).In(zone).Zone()
		t := shown.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, is := t.Zone(); is != offset {
			if from, _ := t.ZoneBounds(); near < 0 {
				skipped = from
			}
			continue
		}
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	if first.IsZero() {
		return skipped, skipped
	}
	return first, last
}
