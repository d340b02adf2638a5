package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

func TestDiffExitCodes(t *testing.T) {
	const running = `{"run":"r1","connection":"entra","mode":"dry","state":"running","progress":{"phase":"reading users","pages":3}}`
	for name, tc := range map[string]struct {
		final string
		code  int
	}{
		"no drift":           {runText("done", `{}`), exitDone},
		"zero totals":        {runText("done", `{"stale_member":0}`), exitDone},
		"drift":              {runText("done", `{"stale_member":1}`), exitDrift},
		"partial with drift": {runText("partial", `{"stale_member":1}`), exitDrift},
		"partial":            {runText("partial", `{}`), exitNotFinished},
		"held":               {runText("held", `{"orphaned_member":9}`), exitDrift},
		"failed":             {runText("failed", `{"stale_member":1}`), exitFailed},
		"cancelled":          {runText("cancelled", `{}`), exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			f := startDaemon(t, map[string][]string{"POST /orgs/o/diff": {queuedText}, "GET /runs/r1": {running, tc.final}})
			got := f.rosterd(context.Background(), "diff --org o --connection entra --json")
			if got.code != tc.code || got.errOut != "" {
				t.Errorf("got %d, want %d; %q", got.code, tc.code, got.errOut)
			}
			if m, ok := document(t, got.out).(map[string]any); !ok || m["run"] != "r1" || m["actions"] == nil {
				t.Errorf("printed %s", got.out)
			}
			asked := f.requests()
			if asked[0] != `POST /orgs/o/diff {"connection":"entra"}` || asked[len(asked)-1] != "GET /runs/r1?actions=true" {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestResyncWaitExitCodes(t *testing.T) {
	other := func(state string) string {
		return `{"run":"r2","connection":"okta","mode":"full","state":"` + state + `"}`
	}
	for name, tc := range map[string]struct {
		one, two string
		code     int
	}{
		"both done":       {runText("done", `{}`), other("done"), exitDone},
		"one held":        {runText("held", `{}`), other("done"), exitNotFinished},
		"one partial":     {runText("done", `{}`), other("partial"), exitNotFinished},
		"held and failed": {runText("held", `{}`), other("failed"), exitFailed},
		"one cancelled":   {runText("done", `{}`), other("cancelled"), exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			f := startDaemon(t, map[string][]string{
				"POST /orgs/o/resync": {`{"runs":[` + queuedText + `,` + other("queued") + `]}`},
				"GET /runs/r1":        {queuedText, tc.one}, "GET /runs/r2": {tc.two},
			})
			got := f.rosterd(context.Background(), "resync --org o --wait --json")
			if got.code != tc.code || !strings.Contains(got.errOut, "entra: queued · okta: queued\n") {
				t.Errorf("got %d, want %d; %q", got.code, tc.code, got.errOut)
			}
			m, _ := document(t, got.out).(map[string]any)
			if runs, _ := m["runs"].([]any); len(m) != 1 || len(runs) != 2 {
				t.Errorf("printed %s", got.out)
			}
		})
	}
}

func TestALostDaemonIsAskedAgain(t *testing.T) {
	f := startDaemon(t, map[string][]string{
		"POST /orgs/o/diff": {queuedText},
		"GET /runs/r1":      {`503 {"detail":"starting"}`, `502 `, queuedText, `503 {}`, runText("done", `{}`), `503 {}`, runText("done", `{}`)},
	})
	if got := f.rosterd(context.Background(), "diff --org o --json"); got.code != exitDone {
		t.Errorf("got %+v", got)
	}
}

func TestADaemonThatStaysAwayIsGivenUp(t *testing.T) {
	f := startDaemon(t, map[string][]string{"POST /orgs/o/resync": {`{"runs":[` + queuedText + `]}`}, "GET /runs/r1": {`503 {"detail":"starting"}`}})
	var out, errOut bytes.Buffer
	p := &program{stdout: &out, stderr: &errOut, env: func(string) (string, bool) { return "", false }, patience: time.Millisecond}
	code := p.run(context.Background(), []string{"resync", "--org", "o", "--wait", "--json", "--data-dir", f.dir})
	if code != exitFailed || out.Len() > 0 || !strings.Contains(errOut.String(), "gave up waiting for run r1, which may go on (`rosterd runs show r1`): starting") {
		t.Errorf("got %d %q %q", code, out.String(), errOut.String())
	}
}

func TestInterruptedWaitLeavesTheRunGoing(t *testing.T) {
	for _, line := range []string{"diff --org o", "resync --org o --wait"} {
		f := startDaemon(t, map[string][]string{
			"POST /orgs/o/diff": {queuedText}, "POST /orgs/o/resync": {`{"runs":[` + queuedText + `]}`}, "GET /runs/r1": {queuedText},
		})
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for len(f.requests()) < 2 { // the question, and one look
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		got := f.rosterd(ctx, line+" --json")
		if got.code != exitNotFinished || !strings.Contains(got.errOut, "`rosterd runs show r1`") || !strings.Contains(got.errOut, "`rosterd runs cancel r1`") {
			t.Errorf("%s: %+v", line, got)
		}
		document(t, got.out)
		for _, asked := range f.requests() {
			if strings.Contains(asked, "cancel") {
				t.Errorf("%s: asked %s", line, asked)
			}
		}
	}
}

func TestAnInterruptBeforeTheRunIsKnownFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := startDaemon(t, nil).rosterd(ctx, "diff --org o --json"); got.code != exitFailed || got.out != "" || got.errOut != "rosterd: interrupted\n" {
		t.Errorf("got %+v", got)
	}
}

func TestServerNeedsAKeyThatIsNotOnTheCommandLine(t *testing.T) {
	var key string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"version":"v1"}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("rsk_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fakeDaemon{dir: "/nowhere"}
	got := f.rosterd(context.Background(), "status --json --server "+server.URL, "ROSTERD_API_KEY", "rsk_env")
	if got.code != 0 || key != "Bearer rsk_env" || got.errOut != "" {
		t.Errorf("from the environment: %+v, sent %q", got, key)
	}
	got = f.rosterd(context.Background(), "status --server "+server.URL+" --api-key-file "+file, "ROSTERD_API_KEY", "rsk_env")
	if got.code != 0 || key != "Bearer rsk_file" {
		t.Errorf("from the file: %+v, sent %q", got, key)
	}
	got = f.rosterd(context.Background(), "status --server "+server.URL+" --api-key-file /nowhere")
	if got.code != exitFailed || !strings.Contains(got.errOut, "/nowhere") {
		t.Errorf("a missing file: %+v", got)
	}
}

func TestProgressSaysHowMuchThereIs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		progress client.Progress
		want     string
	}{
		"nothing known": {client.Progress{Phase: "pull", Pages: 3, Objects: 1}, "entra: pull, 3 pages, 1 object"},
		"a total":       {client.Progress{Phase: "pull", Pages: 3, Objects: 50, Total: 200}, "entra: pull, 3 pages, 50 of 200 objects (25%)"},
		"an estimate":   {client.Progress{Phase: "pull", Pages: 1, Objects: 50, Total: 200, TotalIsEstimate: true}, "entra: pull, 1 page, 50 of about 200 objects (25%)"},
		"more than the estimate": {
			client.Progress{Phase: "pull", Pages: 9, Objects: 300, Total: 200, TotalIsEstimate: true},
			"entra: pull, 9 pages, 300 of about 200 objects (99%)",
		},
		"all of it": {client.Progress{Phase: "apply", Pages: 9, Objects: 200, Total: 200, Applied: 7}, "entra: apply, 9 pages, 200 of 200 objects (100%), 7 applied"},
	} {
		run := client.Run{Connection: "entra", State: "running", Progress: &tc.progress}
		if got := progress(&run, true); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTheTimeLeftIsToldOnceTheSpeedIsKnown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		done, missing int
		took          time.Duration
		want          string
	}{
		{100, 900, time.Second, ""}, // too soon
		{0, 900, time.Minute, ""},   // nothing came since
		{900, 0, time.Minute, ""},   // all came
		{900, -5, time.Minute, ""},  // more than all
		{900, 100, time.Minute, ", under a minute left"},
		{100, 1150, time.Minute, ", about 12 min left"},
		{100, 10_000, time.Minute, ", about 1.7 h left"},
	} {
		if got := remaining(tc.done, tc.missing, tc.took); got != tc.want {
			t.Errorf("%d of %d in %s: %q, want %q", tc.done, tc.done+tc.missing, tc.took, got, tc.want)
		}
	}
}
