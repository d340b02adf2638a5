package roster_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestARunIsLateOnceTwoMoreWereDue(t *testing.T) {
	for name, tc := range map[string]struct {
		cron     string
		blackout []string
		due      string
		want     string // "": never
	}{
		"each hour":                         {"0 * * * *", nil, "2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z"},
		"each minute, no less than ten":     {"* * * * *", nil, "2026-11-24T10:00:00Z", "2026-11-24T10:10:00Z"},
		"working days, over a weekend":      {"0 3 * * 1-5", nil, "2026-11-27T03:00:00Z", "2026-12-01T03:00:00Z"},
		"nothing is due":                    {"0 * * * *", nil, "", ""},
		"due within a window, from its end": {"0 * * * *", []string{"Mon-Fri 08:00-18:00"}, "2026-11-24T10:00:00Z", "2026-11-24T20:00:00Z"},
		"late within a window, after it":    {"0 * * * *", []string{"Mon-Fri 08:00-18:00"}, "2026-11-24T06:30:00Z", "2026-11-24T18:10:00Z"},
		"one that can't be read":            {"x", nil, "2026-11-24T10:00:00Z", ""},
	} {
		s := roster.Schedule{Mode: roster.ModeDelta, Cron: tc.cron, TimeZone: "UTC", Blackout: tc.blackout}
		var due time.Time
		if tc.due != "" {
			due, _ = time.Parse(time.RFC3339, tc.due)
		}
		got := ""
		if at := s.LateAt(due); !at.IsZero() {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != tc.want {
			t.Errorf("%s: late at %q, want %q", name, got, tc.want)
		}
	}
}
