package scimserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
)

// gate holds transactions up, and counts those that it holds at a time.
type gate struct {
	roster.Store

	entered   chan struct{}
	open      chan struct{}
	now, most atomic.Int64
}

func (g *gate) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	g.entered <- struct{}{}
	<-g.open
	g.now.Add(-1)
	return g.Store.InTx(ctx, fn)
}

// largeUser is a user whose body is larger than a megabyte, most of it ignored.
func largeUser(name string) string {
	return `{"userName":"` + name + `","x":"` + strings.Repeat("y", 1<<20) + `"}`
}

func TestFewLargeBodiesAreWorkedOnAtATime(t *testing.T) {
	const atOnce, all = 4, 10
	each(t, func(s *service) {
		g := &gate{Store: s.db, entered: make(chan struct{}, all), open: make(chan struct{})}
		gated, err := scimserver.New(scimserver.Config{Roster: roster.New(g), Store: s.db, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			s.Fatal(err)
		}
		server := httptest.NewServer(gated)
		s.Cleanup(server.Close)
		s.root = server.URL
		var sent sync.WaitGroup
		for i := range all {
			sent.Go(func() {
				if r := s.send(request{method: "POST", path: "/Users", body: largeUser(fmt.Sprint("u", i))}); r.status != http.StatusCreated {
					s.Errorf("%d %s", r.status, r.raw)
				}
			})
		}
		for range atOnce {
			<-g.entered
		}
		if r := s.send(request{method: "POST", path: "/Users", body: `{"userName":""}`}); r.status != http.StatusBadRequest {
			s.Errorf("a small one, which doesn't wait for them: %d %s", r.status, r.raw)
		}
		for range all - atOnce {
			g.open <- struct{}{}
			<-g.entered
		}
		for range atOnce {
			g.open <- struct{}{}
		}
		sent.Wait()
		if most := g.most.Load(); most > atOnce {
			s.Errorf("%d at once", most)
		}
	})
}

// However a large request ends, the next one has its place.
func TestALargeBodyGivesItsPlaceBack(t *testing.T) {
	each(t, func(s *service) {
		group := s.group("All", s.many(3)...)
		for i := range 6 {
			for _, q := range []struct {
				request
				status int
			}{
				{request{method: "POST", path: "/Users", body: largeUser(fmt.Sprint("u", i))}, http.StatusCreated},
				{request{method: "POST", path: "/Users", body: largeUser(fmt.Sprint("u", i))}, http.StatusConflict},
				{request{method: "POST", path: "/Users", body: largeUser("") + "x"}, http.StatusBadRequest},
				{request{method: "PUT", path: "/Groups/" + group, body: `{"displayName":"All","x":"` + strings.Repeat("y", 1<<20) + `"}`}, http.StatusOK},
				{request{method: "PATCH", path: "/Users/nobody", body: `{"Operations":[{"op":"add","path":"x","value":"` + strings.Repeat("y", 1<<20) + `"}]}`}, http.StatusNotFound},
			} {
				if r := s.send(q.request); r.status != q.status {
					s.Fatalf("%s %s: %d %.200s", q.method, q.path, r.status, r.raw)
				}
			}
		}
	})
}
