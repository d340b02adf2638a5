package roster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func timetable(t *testing.T, expr, zone string) roster.Timetable {
	t.Helper()
	at, err := roster.Zone(zone)
	if err != nil {
		t.Fatal(err)
	}
	table, err := roster.NewTimetable(expr, at)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDueTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		expr, zone, from string
		want             []string
	}{
		"in UTC":               {"0 3 * * *", "UTC", "2026-11-23T03:00:00Z", []string{"2026-11-24T03:00:00Z", "2026-11-25T03:00:00Z"}},
		"in a zone":            {"0 3 * * *", "Asia/Tokyo", "2026-11-23T03:00:00Z", []string{"2026-11-23T18:00:00Z"}},
		"a descriptor":         {"@daily", "Europe/Berlin", "2026-07-01T00:00:00Z", []string{"2026-07-01T22:00:00Z"}},
		"every ten minutes":    {"@every 10m", "UTC", "2026-07-01T00:03:00Z", []string{"2026-07-01T00:13:00Z", "2026-07-01T00:23:00Z"}},
		"29 February":          {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		"a time that is not":   {"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-09T06:30:00Z"}},
		"a time that is twice": {"30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, from := timetable(t, tc.expr, tc.zone), at(t, tc.from)
			var got []string
			for range tc.want {
				from = table.After(from)
				got = append(got, from.Format(time.RFC3339))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestDelaySpreadsConnectionsAndIsTheSameEverywhere(t *testing.T) {
	due := at(t, "2026-11-23T03:00:00Z")
	for name, tc := range map[string]struct {
		cron string
		max  time.Duration // configured
		want time.Duration // no delay reaches it
	}{
		"none":                         {"0 3 * * *", 0, 0},
		"as configured":                {"0 3 * * *", 30 * time.Second, 30 * time.Second},
		"a tenth of the interval":      {"* * * * *", 30 * time.Second, 6 * time.Second},
		"of the interval that follows": {"0,5 3 * * *", time.Hour, 30 * time.Second},
		"of every ten minutes":         {"@every 10m", time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			var most time.Duration
			seen := map[time.Duration]bool{}
			for range 500 {
				s := roster.Schedule{Connection: roster.NewID(), Mode: roster.ModeFull, Cron: tc.cron, TimeZone: "UTC", Jitter: tc.max, Next: due}
				d := s.Delay()
				other := s
				other.Mode = roster.ModeDelta
				if d < 0 || d >= max(tc.want, 1) || d != s.Delay() || d != other.Delay() {
					t.Fatalf("delay %s, again %s, of the other mode %s, want less than %s", d, s.Delay(), other.Delay(), tc.want)
				}
				most, seen[d] = max(most, d), true
			}
			if tc.want > 0 && (most < tc.want*9/10 || len(seen) < 400) {
				t.Errorf("%d delays up to %s, want them spread up to %s", len(seen), most, tc.want)
			}
		})
	}
	s := roster.Schedule{Connection: "c", Cron: "0 3 * * *", TimeZone: "UTC", Jitter: time.Minute, Next: due}
	first := s.Delay()
	s.Next = due.Add(24 * time.Hour)
	if s.Delay() == first {
		t.Error("the delay of another due time is the same")
	}
}

// An expression is refused, or gives due times that follow one another.
func FuzzTimetable(f *testing.F) {
	for _, expr := range []string{
		"0 3 * * *", "*/5 * * * *", "0 0 30 2 *", "TZ=0", "CRON_TZ=Asia/Tokyo 0 3 * * *", "@every 10m", "@daily", "1-5/2,7 0 1 jan MON",
		"0 0 3 * * *", "? ? ? ? ?", "@every 2562047h", ", 3 * * *", "59 23 31 12 0",
	} {
		f.Add(expr, int64(1_800_000_000), "America/New_York")
	}
	f.Fuzz(func(t *testing.T, expr string, from int64, zone string) {
		const year3000 = 32_503_680_000
		if strings.Count(expr, ",,")+strings.Count(expr, " ,") > 0 || from < 0 || from > year3000 {
			t.Skip("an empty list is refused after a walk through five years of minutes")
		}
		where, err := roster.Zone(zone)
		if err != nil {
			where = time.UTC
		}
		table, err := roster.NewTimetable(expr, where)
		if err != nil {
			return
		}
		now := time.Unix(from, 0)
		for range 4 {
			next := table.After(now)
			if next.IsZero() {
				return
			}
			if !next.After(now) {
				t.Fatalf("%q in %s: after %s comes %s", expr, where, now, next)
			}
			now = next
		}
	})
}
