package syncer_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/syncer"
)

// wire counts the requests to a tenant, by whether they are batches or about one person.
type wire struct{ batches, alone int }

func (c *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/$batch"):
		c.batches++
	case strings.HasPrefix(r.URL.Path, "/v1.0/users/") && !strings.Contains(r.URL.Path, "/delta"):
		c.alone++
	}
	return http.DefaultTransport.RoundTrip(r)
}

// oneByOne hides that a connector can look at several people at once.
type oneByOne struct {
	connectors.Reader
	connectors.OneReader
	connectors.DeltaReader
}

// over has the runs read through a wire that counts.
func (w *world) over(c *wire, looks int, reader func(*entra.Connector) connectors.Reader) {
	w.t.Helper()
	srv := httptest.NewServer(w.tenant)
	w.t.Cleanup(srv.Close)
	conn, err := entra.Open(entra.Config{
		AccessToken: "graph-token", ServicePrincipalID: w.tenant.ServicePrincipalID(), GraphURL: srv.URL,
	}, &http.Client{Transport: c}, slog.New(slog.DiscardHandler))
	w.ok(err)
	source := w.cfg.Sources[w.conn]
	source.Reader = reader(conn)
	w.cfg.Sources, w.cfg.Looks = map[string]syncer.Source{w.conn: source}, looks
	w.syncer = w.another("test")
}

func together(c *entra.Connector) connectors.Reader { return c }
func alone(c *entra.Connector) connectors.Reader    { return oneByOne{c, c, c} }

// Whom a run must look at again it looks at ten at a time, and comes to what it comes to by looking at one after the other.
func TestSecondLooksAreMadeTenAtATime(t *testing.T) {
	eachWorld(t, 500, 4, func(w *world) {
		w.baseline()
		for _, p := range w.tenant.Desired()[:100] {
			w.leave(p.ObjectID)
		}
		single, many := &wire{}, &wire{}
		w.over(single, 0, alone)
		_, want := w.run(roster.ModeDry)
		w.over(many, 0, together)
		_, got := w.run(roster.ModeDry)
		if a, b := lines(want), lines(got); len(got) < 100 || !slices.Equal(a, b) {
			w.t.Errorf("one by one %v\ntogether %v", a, b)
		}
		if single.alone != 200 || single.batches != 0 || many.alone != 0 || many.batches != 10 {
			w.t.Errorf("one by one: %d requests, %d batches; together: %d requests, %d batches", single.alone, single.batches, many.alone, many.batches)
		}
		w.t.Logf("100 second looks: %d requests one by one, %d together", single.alone, many.batches)
	})
}

// What could not be read with the others is read alone, and the limit of looks holds for each person.
func TestLooksMadeTogetherKeepTheirLimit(t *testing.T) {
	eachWorld(t, 60, 3, func(w *world) {
		w.baseline()
		people := w.tenant.Desired()[:30]
		for _, p := range people {
			w.leave(p.ObjectID)
		}
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users/" + people[3].ObjectID, Count: 1, Status: http.StatusInternalServerError})
		c := &wire{}
		w.over(c, 0, together)
		_, actions := w.run(roster.ModeDry)
		remove()
		if n := w.deactivations(actions); n != 30 || c.batches != 3 || c.alone != 2 {
			w.t.Errorf("%d are judged by %d batches and %d requests", n, c.batches, c.alone)
		}
		c = &wire{}
		w.over(c, 12, together)
		_, actions = w.run(roster.ModeDry)
		if n := w.deactivations(actions); n != 12 || c.batches != 2 || c.alone != 0 {
			w.t.Errorf("%d are judged by %d batches and %d requests", n, c.batches, c.alone)
		}
		// A Graph without batches costs one request, and then it is as before.
		remove = w.tenant.Inject(idpsim.Fault{Path: "/$batch", Status: http.StatusNotFound})
		defer remove()
		c = &wire{}
		w.over(c, 0, together)
		_, actions = w.run(roster.ModeDry)
		if n := w.deactivations(actions); n != 30 || c.batches != 1 || c.alone != 60 {
			w.t.Errorf("%d are judged by %d batches and %d requests", n, c.batches, c.alone)
		}
	})
}

func (w *world) deactivations(actions []roster.RunAction) (n int) {
	for _, a := range actions {
		if a.Drift.Kind == roster.OrphanedMember && a.Drift.Action == roster.ActDeactivate {
			n++
		}
	}
	return n
}
