package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/config"
)

func TestTheRequestLogKeepsWhatTheFileSays(t *testing.T) {
	usual := config.Default().RequestLog
	for text, want := range map[string]config.RequestLog{
		"request_log:\n":               usual,
		"request_log: { keep: 12h }\n": {Keep: 12 * time.Hour, MaxRows: usual.MaxRows, Reads: true},
		"request_log: { keep: 2w, max_rows: 5000, reads: false }\n": {Keep: 14 * 24 * time.Hour, MaxRows: 5000},
		"request_log: { max_rows: \"1000\" }\n":                     {Keep: usual.Keep, MaxRows: 1000, Reads: true},
	} {
		got, err := config.Load(write(t, text), noEnv)
		if err != nil || got.RequestLog != want {
			t.Errorf("%q: %+v, %v", text, got, err)
			continue
		}
		again, err := config.Load(write(t, strings.Split(got.Redacted(), "connections:")[0]), noEnv)
		if err != nil || again.RequestLog != want {
			t.Errorf("%q, printed and read again: %+v, %v", text, again, err)
		}
	}
	for text, want := range map[string]string{
		"request_log: 30d\n":                "FILE:1: request_log must be settings",
		"request_log: { max_row: 30 }\n":    `FILE:1: unknown key "max_row" in request_log (did you mean "max_rows"?)`,
		"request_log: { keep: 30 days }\n":  `FILE:1: keep "30 days" is not a length of time: write a number and h, d or w, such as 30d`,
		"request_log: { keep: 0d }\n":       `FILE:1: keep "0d" is not between 1h and 3660d`,
		"request_log: { keep: 999999w }\n":  `FILE:1: keep "999999w" is not between`,
		"request_log: { max_rows: 10 }\n":   "FILE:1: max_rows must be a whole number between 1000 and 100000000",
		"request_log: { max_rows: 1e9 }\n":  "FILE:1: max_rows must be a whole number",
		"request_log: { max_rows: many }\n": "FILE:1: max_rows must be a whole number",
		"request_log: { reads: \"yes\" }\n": "FILE:1: reads must be true or false",
	} {
		if got := problems(t, text, noEnv); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
}
