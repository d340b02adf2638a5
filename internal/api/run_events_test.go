package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// event is one of a stream, as it came; a comment has no kind.
type event struct{ id, kind, data string }

// events opens a stream over TCP; what it says comes out of the channel, which closes at its end.
func (b *bench) events(ctx context.Context, run, key, last string) (*http.Response, <-chan event) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/v1/runs/"+run+"/events", nil)
	b.ok(err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Accept", client.EventStream)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	b.ok(err)
	out := make(chan event, 1000)
	go func() {
		defer close(out)
		defer func() { _ = response.Body.Close() }()
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data = value
			case "":
				if lines.Text() == "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return response, out
}

// await takes events until one has the kind and the text.
func (b *bench) await(events <-chan event, kind, text string) event {
	b.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				b.t.Fatalf("the stream ended without %s %s", kind, text)
			}
			if e.kind == kind && strings.Contains(e.data, text) {
				return e
			}
		case <-late:
			b.t.Fatalf("no %s %s", kind, text)
		}
	}
}

// running asks for a run and claims it.
func (b *bench) running(connection string) *roster.Run {
	b.t.Helper()
	b.commit(roster.Cause{}, roster.RunRequest{Connection: connection, Mode: roster.ModeFull, By: "test"})
	r, err := b.db.ClaimRun(b.t.Context(), "test", time.Minute)
	b.ok(err)
	return r
}

func (b *bench) renew(r *roster.Run) {
	b.t.Helper()
	_, err := b.db.RenewLease(b.t.Context(), r, time.Minute)
	b.ok(err)
}

func TestARunsProgressIsStreamedToItsEnd(t *testing.T) {
	each(t, func(b *bench) {
		r := b.running(b.connection("entra", "t1"))
		r.Phase, r.Pages, r.Objects, r.Expected, r.ExpectedEstimate = "pull", 2, 40, 100, true
		b.renew(r)
		response, events := b.events(b.t.Context(), r.ID, b.key("acme", "viewer"), "")
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != client.EventStream {
			b.t.Fatalf("%d %s", response.StatusCode, got)
		}
		if e := b.await(events, "state", "running"); e.id != "1" {
			b.t.Errorf("the first event is %+v", e)
		}
		var p map[string]any
		b.ok(json.Unmarshal([]byte(b.await(events, "progress", `"objects":40`).data), &p))
		for key, want := range map[string]any{
			"phase": "pull", "pages": 2.0, "objects": 40.0, "total": 100.0, "total_is_estimate": true, "compared": 0.0, "applied": 0.0, "planned": 0.0,
		} {
			if p[key] != want {
				b.t.Errorf("%s is %v, want %v", key, p[key], want)
			}
		}
		if _, has := p["eta_seconds"]; !has || len(p) != 9 {
			b.t.Errorf("progress has %v", p)
		}
		r.Phase, r.Compared = "plan", 60
		b.renew(r)
		b.await(events, "progress", `"compared":60`)
		actions := planned()
		for i := range actions {
			actions[i].Run, actions[i].N = r.ID, int64(i+1)
		}
		b.ok(b.db.AddActions(b.t.Context(), r, actions))
		r.Phase, r.Applied = "apply", 2
		b.renew(r)
		b.await(events, "progress", `"planned":3`) // neither what is held nor what is only listed
		r.State = roster.RunPartial
		b.ok(b.db.FinishRun(b.t.Context(), r, store.Ending{}))
		b.await(events, "state", "partial")
		var end client.Run
		b.ok(json.Unmarshal([]byte(b.await(events, "end", "").data), &end))
		if end.Run != r.ID || end.State != "partial" || end.Organisation != "acme" || end.Totals["stale_member"] != 1 || end.Progress.Compared != 60 {
			b.t.Errorf("the end is %+v", end)
		}
		if e, more := <-events; more {
			b.t.Errorf("after the end: %+v", e)
		}
	})
}

func TestAStreamIsOpenedAgainWhereverItBroke(t *testing.T) {
	each(t, func(b *bench) {
		run := b.finished(b.connection("entra", "t1"), roster.ModeFull, roster.RunDone)
		for last, first := range map[string]string{"": "1", "41": "42", "nonsense": "1", "-3": "1", "99999999999999999999": "1"} {
			_, events := b.events(b.t.Context(), run.ID, b.key("acme", "owner"), last)
			if e := b.await(events, "state", "done"); e.id != first {
				b.t.Errorf("after %q comes %+v", last, e)
			}
			b.await(events, "end", run.ID)
			b.ok(b.local.DeleteAPIKey(b.t.Context(), "acme", "acme owner"))
		}
	})
}

func TestAnotherOrganisationsRunIsNotStreamed(t *testing.T) {
	each(t, func(b *bench) {
		run := b.finished(b.connection("entra", "t1"), roster.ModeFull, roster.RunDone)
		for _, id := range []string{run.ID, "nonsense", roster.NewID()} {
			if _, p := b.do(http.MethodGet, "/api/v1/runs/"+id+"/events", b.key("beta", "owner"), ""); p.Status != http.StatusNotFound {
				b.t.Errorf("%s: %+v", id, p)
			}
			b.ok(b.local.DeleteAPIKey(b.t.Context(), "beta", "beta owner"))
		}
	})
}

func TestAStreamWithoutNewsSaysThatItLives(t *testing.T) {
	each(t, func(b *bench) {
		r := b.running(b.connection("entra", "t1"))
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		_, events := b.events(ctx, r.ID, b.key("acme", "viewer"), "")
		b.await(events, "progress", "")
		if e := b.await(events, "", ""); e != (event{}) { // a comment is an empty line after a colon
			b.t.Errorf("got %+v", e)
		}
	})
}

func TestStreamsAreBoundedAndEndWithTheDaemon(t *testing.T) {
	each(t, func(b *bench) {
		r := b.running(b.connection("entra", "t1"))
		key := b.key("acme", "viewer")
		const most = 100
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		open := make([]<-chan event, most)
		for i := range open {
			_, open[i] = b.events(ctx, r.ID, key, "")
		}
		response, p := b.do(http.MethodGet, "/api/v1/runs/"+r.ID+"/events", key, "")
		if response.StatusCode != http.StatusServiceUnavailable || p.Code != "unavailable" || !strings.Contains(p.Detail, "100 streams") {
			b.t.Errorf("one more: %d %+v", response.StatusCode, p)
		}
		b.api.EndStreams()
		b.api.EndStreams()
		for _, events := range open {
			for range events { // to its end
			}
		}
	})
}

func TestTheClientFollowsARunToItsEnd(t *testing.T) {
	each(t, func(b *bench) {
		for name, c := range map[string]*client.Client{"socket": b.local, "key": b.remote(b.key("acme", "viewer"))} {
			r := b.running(b.connection("entra-"+name, "t-"+name))
			seen := make(chan client.RunUpdate, 100)
			ended := make(chan client.Run, 1)
			go func() {
				run, err := c.FollowRun(b.t.Context(), r.ID, func(u client.RunUpdate) { seen <- u })
				if err != nil {
					b.t.Error(err)
				}
				ended <- run
			}()
			if u := <-seen; u.State != "running" {
				b.t.Errorf("%s: first %+v", name, u)
			}
			r.Phase, r.Objects = "pull", 7
			b.renew(r)
			for u := range seen {
				if u.Progress != nil && u.Progress.Objects == 7 {
					break
				}
			}
			r.State = roster.RunDone
			b.ok(b.db.FinishRun(b.t.Context(), r, store.Ending{}))
			if run := <-ended; run.Run != r.ID || run.State != "done" {
				b.t.Errorf("%s: ended %+v", name, run)
			}
		}
		_, err := b.local.FollowRun(b.t.Context(), roster.NewID(), func(client.RunUpdate) {})
		b.refused(err, http.StatusNotFound, "not_found")
	})
}
