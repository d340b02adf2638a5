package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/config"
)

func TestTheHistoryKeepsWhatTheFileSays(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]config.History{
		"history:\n":              {Runs: 90 * day, Actions: 30 * day, MinRuns: 20},
		"history: { runs: 2w }\n": {Runs: 14 * day, Actions: 14 * day, MinRuns: 20},
		"history: { runs: 365d, actions: 7d, min_runs: 100 }\n": {Runs: 365 * day, Actions: 7 * day, MinRuns: 100},
	} {
		got, err := config.Load(write(t, text), noEnv)
		if err != nil || got.History != want {
			t.Errorf("%q: %+v, %v", text, got, err)
			continue
		}
		again, err := config.Load(write(t, strings.Split(got.Redacted(), "connections:")[0]), noEnv)
		if err != nil || again.History != want {
			t.Errorf("%q, printed and read again: %+v, %v", text, again, err)
		}
	}
	for text, want := range map[string]string{
		"history: 90d\n":                          "FILE:1: history must be settings",
		"history: { keep: 90d }\n":                `FILE:1: unknown key "keep" in history`,
		"history: { runs: soon }\n":               `FILE:1: runs "soon" is not a length of time`,
		"history:\n  runs: 6d\n":                  `FILE:2: runs "6d" is too short`,
		"history: { actions: 1h }\n":              `FILE:1: actions "1h" is too short`,
		"history:\n  runs: 10d\n  actions: 20d\n": `FILE:3: actions "20d" is longer than runs, which is 10d`,
		"history: { min_runs: 0 }\n":              "FILE:1: min_runs must be a whole number between 1 and 10000",
	} {
		if got := problems(t, text, noEnv); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
}
