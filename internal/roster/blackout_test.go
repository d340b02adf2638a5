package roster_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestABlackoutHoldsByTheClocksOfItsZone(t *testing.T) {
	for name, tc := range map[string]struct {
		windows []string
		zone    string
		at      string
		until   string // empty: none holds
		next    string // empty: none comes
	}{
		"before the hours of a weekday":       {[]string{"Mon-Fri 08:00-18:00"}, "UTC", "2026-11-24T07:59:59Z", "", "2026-11-24T08:00:00Z"},
		"at their beginning":                  {[]string{"Mon-Fri 08:00-18:00"}, "UTC", "2026-11-24T08:00:00Z", "2026-11-24T18:00:00Z", "2026-11-25T08:00:00Z"},
		"at their end":                        {[]string{"Mon-Fri 08:00-18:00"}, "UTC", "2026-11-24T18:00:00Z", "", "2026-11-25T08:00:00Z"},
		"on another day":                      {[]string{"Mon-Fri 08:00-18:00"}, "UTC", "2026-11-28T12:00:00Z", "", "2026-11-30T08:00:00Z"},
		"in another zone":                     {[]string{"Mon-Fri 08:00-18:00"}, "Europe/Berlin", "2026-11-24T07:30:00Z", "2026-11-24T17:00:00Z", "2026-11-25T07:00:00Z"},
		"over midnight, the evening":          {[]string{"Fri 22:00-06:00"}, "UTC", "2026-11-27T23:00:00Z", "2026-11-28T06:00:00Z", "2026-12-04T22:00:00Z"},
		"over midnight, the morning after":    {[]string{"Fri 22:00-06:00"}, "UTC", "2026-11-28T05:59:00Z", "2026-11-28T06:00:00Z", "2026-12-04T22:00:00Z"},
		"over midnight, the morning of":       {[]string{"Fri 22:00-06:00"}, "UTC", "2026-11-27T05:00:00Z", "", "2026-11-27T22:00:00Z"},
		"each day":                            {[]string{"01:00-02:00"}, "UTC", "2026-11-29T01:30:00Z", "2026-11-29T02:00:00Z", "2026-11-30T01:00:00Z"},
		"whole days that follow on another":   {[]string{"Sat,Sun"}, "UTC", "2026-11-28T12:00:00Z", "2026-11-30T00:00:00Z", "2026-11-29T00:00:00Z"},
		"days over the end of the week":       {[]string{"Sat-Mon 09:00-10:00"}, "UTC", "2026-11-29T09:30:00Z", "2026-11-29T10:00:00Z", "2026-11-30T09:00:00Z"},
		"dates, the last one whole":           {[]string{"2026-12-24..2027-01-02"}, "Europe/Berlin", "2027-01-02T22:59:59Z", "2027-01-02T23:00:00Z", ""},
		"before dates":                        {[]string{"2026-12-24..2027-01-02"}, "Europe/Berlin", "2026-12-23T22:59:59Z", "", "2026-12-23T23:00:00Z"},
		"after dates":                         {[]string{"2026-12-24..2027-01-02"}, "Europe/Berlin", "2027-01-02T23:00:00Z", "", ""},
		"windows that touch are one":          {[]string{"Mon-Fri 08:00-12:00", "Mon-Fri 12:00-18:00"}, "UTC", "2026-11-24T09:00:00Z", "2026-11-24T18:00:00Z", "2026-11-24T12:00:00Z"},
		"no window":                           {nil, "UTC", "2026-11-24T09:00:00Z", "", ""},
		"a day of 23 hours":                   {[]string{"Sun"}, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T22:00:00Z", "2026-04-04T22:00:00Z"},
		"a day of 25 hours":                   {[]string{"Sun"}, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T23:00:00Z", "2026-10-31T23:00:00Z"},
		"hours over the skipped one":          {[]string{"00:00-06:00"}, "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T04:00:00Z", "2026-03-29T22:00:00Z"},
		"hours within the skipped one":        {[]string{"02:15-02:45"}, "Europe/Berlin", "2026-03-29T01:00:00Z", "", "2026-03-30T00:15:00Z"},
		"hours that begin in the skipped one": {[]string{"02:30-04:00"}, "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-30T00:30:00Z"},
		"hours that end in the skipped one":   {[]string{"01:00-02:30"}, "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T23:00:00Z"},
		"the repeated hour, the first time":   {[]string{"02:00-02:30"}, "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:00:00Z"},
		"the repeated hour, the second time":  {[]string{"02:00-02:30"}, "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:00:00Z"},
		"in a zone that skips midnight":       {[]string{"Fri"}, "Africa/Cairo", "2026-04-23T23:00:00Z", "2026-04-24T21:00:00Z", "2026-04-30T21:00:00Z"},
		"always":                              {[]string{"00:00-24:00"}, "UTC", "2026-11-24T09:00:00Z", "never", "2026-11-25T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := roster.Zone(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			b, err := roster.NewBlackout(tc.windows, zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			until, holds := b.Holds(at)
			got := ""
			switch {
			case holds && until.IsZero():
				got = "never"
			case holds:
				got = until.Format(time.RFC3339)
			}
			if got != tc.until {
				t.Errorf("it holds until %q, want %q", got, tc.until)
			}
			next := ""
			if from, _ := b.Next(at); !from.IsZero() {
				next = from.Format(time.RFC3339)
			}
			if next != tc.next {
				t.Errorf("the next one begins at %q, want %q", next, tc.next)
			}
		})
	}
}

// Whoever shows or asks never meets a panic, whatever was written.
func FuzzBlackout(f *testing.F) {
	for _, text := range []string{"Mon-Fri 08:00-18:00", "2026-12-24..2027-01-02", "-", "..", "9999-12-31", ":-:", "Mon,", "24:00-24:00", "0000-01-01..9999-12-31"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := roster.NewBlackout([]string{text}, time.UTC)
		if err != nil {
			return
		}
		now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		if until, holds := b.Holds(now); holds && !until.IsZero() && !until.After(now) {
			t.Errorf("%q holds until %s, which has passed", text, until)
		}
		if from, _ := b.Next(now); !from.IsZero() && !from.After(now) {
			t.Errorf("%q comes next at %s, which has passed", text, from)
		}
	})
}
