package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
)

func TestTheBarFillsTheRoomThatTheFiguresLeave(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		line  string
		share float64
		width int
		want  string
	}{
		"nothing known":    {"entra: pull", -1, 79, "entra: pull"},
		"nothing done":     {"entra: pull", 0, 30, "[>               ] entra: pull"},
		"half":             {"entra: pull", 0.5, 30, "[========>       ] entra: pull"},
		"all":              {"entra: pull", 1, 30, "[================] entra: pull"},
		"more than all":    {"entra: pull", 1.5, 30, "[================] entra: pull"},
		"as wide as it is": {"entra: pull", 0.5, 300, "[============>           ] entra: pull"},
		"no room":          {"entra: pull", 0.5, 18, "entra: pull"},
	} {
		got := withBar(tc.line, tc.share, tc.width)
		if got != tc.want || tc.share >= 0 && utf8.RuneCountInString(got) > tc.width {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTheShareIsOfThePhase(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		progress client.Progress
		planned  int
		want     float64
	}{
		"no total":               {client.Progress{Phase: "pull", Objects: 5}, 0, -1},
		"a total":                {client.Progress{Phase: "pull", Objects: 50, Total: 200}, 0, 0.25},
		"more than the estimate": {client.Progress{Phase: "pull", Objects: 300, Total: 200, TotalIsEstimate: true}, 0, 0.99},
		"compared":               {client.Progress{Phase: "plan", Objects: 200, Total: 200, Compared: 100}, 0, 0.5},
		"applied":                {client.Progress{Phase: "apply", Objects: 200, Total: 200, Applied: 3}, 12, 0.25},
		"plan not counted":       {client.Progress{Phase: "apply", Objects: 200, Applied: 3}, 0, -1},
		"another phase":          {client.Progress{Phase: "guard", Objects: 200, Total: 200}, 0, -1},
	} {
		if got := shareOf(&tc.progress, tc.planned); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestTheWidthIsWhatTheEnvironmentSays(t *testing.T) {
	t.Parallel()
	for columns, want := range map[string]int{"": 79, "120": 119, "40": 39, "wide": 79, "-3": 79} {
		p := &program{stderr: io.Discard, env: func(string) (string, bool) { return columns, true }}
		if got := p.width(); got != want {
			t.Errorf("COLUMNS=%q: %d, want %d", columns, got, want)
		}
	}
}

// A run that is streamed is not asked for again and again; one whose stream breaks off is followed all the same.
func TestAWaitGoesByTheStreamOfARun(t *testing.T) {
	const begun = "id: 1\nevent: state\ndata: {\"run\":\"r1\",\"state\":\"running\"}\n\n: still here\n\n" +
		"id: 2\nevent: progress\ndata: {\"phase\":\"pull\",\"pages\":1,\"objects\":5,\"total\":10,\"planned\":0,\"eta_seconds\":2.5}\n\n"
	const ended = "id: 3\nevent: end\ndata: {\"run\":\"r1\",\"connection\":\"entra\",\"state\":\"done\"}\n\n"
	for name, tc := range map[string]struct {
		streams []string // one for each time it is opened
		asked   []string
	}{
		"whole":      {[]string{begun + ended}, []string{"/runs/r1/events"}},
		"broken off": {[]string{begun, ended}, []string{"/runs/r1/events", "/runs/r1/events 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			streams := tc.streams
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				path := strings.TrimPrefix(r.URL.Path, "/api/v1")
				asked = append(asked, strings.TrimSpace(path+" "+r.Header.Get("Last-Event-ID")))
				switch {
				case strings.HasSuffix(path, "/resync"):
					_, _ = io.WriteString(w, `{"runs":[`+queuedText+`]}`)
				case strings.HasSuffix(path, "/events"):
					w.Header().Set("Content-Type", client.EventStream)
					_, _ = io.WriteString(w, streams[0])
					streams = streams[1:]
				default:
					_, _ = io.WriteString(w, runText("done", `{}`))
				}
			}))
			defer server.Close()
			got := (&fakeDaemon{dir: t.TempDir()}).rosterd(context.Background(), "resync --org o --wait --server "+server.URL, "ROSTERD_API_KEY", "rak_x")
			if got.code != exitDone || !strings.Contains(got.errOut, "entra: queued\n") || !strings.Contains(got.errOut, "entra: done\n") {
				t.Errorf("got %+v", got)
			}
			want := append(append([]string{"/orgs/o/resync"}, tc.asked...), "/runs/r1")
			if mu.Lock(); !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
			mu.Unlock()
		})
	}
}
