package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

const driftText = `{"organisation":"default","connection":"entra","since":"2026-11-20T00:00:00Z","until":"2026-11-24T10:00:00Z","bucket":"day",
	"totals":{"redundant_soft_delete":{"found":12345,"applied":12000,"held":345,"listed":0},"conflict":{"found":0,"applied":0,"held":0,"listed":2}},
	"buckets":[{"start":"2026-11-20T00:00:00Z","kinds":{"redundant_soft_delete":{"found":12000,"applied":12000,"held":0,"listed":0}}},
	{"start":"2026-11-21T00:00:00Z","kinds":null},
	{"start":"2026-11-22T00:00:00Z","kinds":{"redundant_soft_delete":{"found":345,"applied":0,"held":345,"listed":0},"conflict":{"found":0,"applied":0,"held":0,"listed":2}}}]}`

func TestDriftReadsWellOnATerminal(t *testing.T) {
	f := startDaemon(t, map[string][]string{"GET /orgs/o/connections/entra/drift": {driftText}})
	got := f.rosterd(context.Background(), "connection drift entra --org o --since 5d --by day")
	if asked := f.requests(); got.code != 0 || asked[0] != "GET /orgs/o/connections/entra/drift?bucket=day&since=5d" {
		t.Fatalf("%d %s, asked %q", got.code, got.errOut, asked)
	}
	want := `Drift of entra since 2026-11-20 UTC, by the day

KIND                   FOUND  APPLIED  HELD  LISTED  TREND
redundant_soft_delete  12345  12000    345   0       █·▁
conflict               0      0        0     2       ··█
`
	if got.out != want {
		t.Errorf("got\n%s\nwant\n%s", got.out, want)
	}
	raw := f.rosterd(context.Background(), "connection drift entra --org o --json")
	if raw.code != 0 || strings.Contains(raw.out, "null") || !strings.Contains(compact(t, raw.out), `{"kinds":{},"start":"2026-11-21T00:00:00Z"}`) {
		t.Errorf("as JSON: %+v", raw)
	}
	none := startDaemon(t, map[string][]string{"GET /orgs/o/connections/entra/drift": {`{"connection":"entra","bucket":"hour","since":"2026-11-20T05:00:00Z"}`}})
	if got := none.rosterd(context.Background(), "connection drift entra --org o"); got.out != "Drift of entra since 2026-11-20 05:00 UTC, by the hour: none was found.\n" {
		t.Errorf("of none: %q", got.out)
	}
}

func TestSparklinesStayNarrow(t *testing.T) {
	levels := make([]int, 100)
	levels[99], levels[0], levels[50] = 8, 1, 4
	if line := sparkline(levels, widestTrend); utf8.RuneCountInString(line) != widestTrend || !strings.HasPrefix(line, "▁·") || !strings.HasSuffix(line, "·█") || !strings.Contains(line, "▄") {
		t.Errorf("got %s", line)
	}
	if line := sparkline(nil, widestTrend); line != "" {
		t.Errorf("of nothing: %q", line)
	}
}

func TestARunSaysHowLongItTookAndThatItsPlanIsGone(t *testing.T) {
	f := startDaemon(t, map[string][]string{"GET /runs/r1": {`{"run":"r1","connection":"entra","mode":"full","state":"done","complete":true,"totals":{"stale_member":3},
		"started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:02:00Z","plan_dropped":true,
		"timings":{"queued_seconds":0.012,"pull_seconds":83.4,"plan_seconds":1.26,"apply_seconds":0}}`}})
	got := f.rosterd(context.Background(), "runs show r1")
	for _, part := range []string{"It found 3 differences. The plan itself is too old to be kept", "Took: in the queue 12ms, pull 1m23s, plan 1.3s.\n"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("no %q in\n%s", part, got.out)
		}
	}
}
