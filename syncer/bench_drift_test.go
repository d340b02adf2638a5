package syncer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/reconcile"
	"github.com/rosterd/rosterd/syncer"
)

// crowd is a tenant that is nothing but a number of people: what a run costs beside it is the run's own. Everybody is in
// one group for each hundred.
type crowd struct {
	people int
	every  int // every so manieth person has another name than at first; 0: nobody
	round  int
}

const crowdPage = 999

func (c *crowd) id(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", i) }

func (c *crowd) group(i int) string { return fmt.Sprintf("00000000-0000-4000-9000-%012x", i) }

func (c *crowd) user(i int) connectors.User {
	name := fmt.Sprintf("Person %d", i)
	if c.every > 0 && i%c.every == 0 {
		name = fmt.Sprintf("Person %d of round %d", i, c.round)
	}
	upn := fmt.Sprintf("person%d@contoso.example", i)
	return connectors.User{ObjectID: c.id(i), Enabled: true, Scope: "assigned directly", Attributes: map[string]string{
		"userPrincipalName": upn, "mail": upn, "displayName": name, "givenName": "Person", "surname": strconv.Itoa(i), "mailNickname": "p" + strconv.Itoa(i),
	}}
}

// Pull hands everybody over, page by page.
func (c *crowd) Pull(ctx context.Context, sink connectors.Sink) error {
	at, err := sink.Stamp(ctx)
	if err != nil {
		return err
	}
	groups := c.people / 100
	end := func(kind connectors.CollectionKind, id string, n int) error {
		return sink.Collection(ctx, connectors.Collection{Kind: kind, ID: id, Name: id, Began: at, Count: n, Whole: true})
	}
	for g := range groups {
		if err := sink.Groups(ctx, at, []connectors.Group{{ObjectID: c.group(g), Attributes: map[string]string{"displayName": fmt.Sprintf("Team %d", g)}}}); err != nil {
			return err
		}
		members := make([]string, 100)
		for i := range members {
			members[i] = c.id(g*100 + i)
		}
		if err := sink.Members(ctx, at, c.group(g), members); err != nil {
			return err
		}
		if err := end(connectors.Members, c.group(g), len(members)); err != nil {
			return err
		}
	}
	if err := end(connectors.Assignments, "", c.people+groups); err != nil {
		return err
	}
	for from := 0; from < c.people; from += crowdPage {
		page := make([]connectors.User, 0, crowdPage)
		for i := from; i < min(from+crowdPage, c.people); i++ {
			page = append(page, c.user(i))
		}
		if err := sink.Users(ctx, at, page); err != nil {
			return err
		}
	}
	return end(connectors.Users, "", c.people)
}

// BenchmarkDrift times full runs of a tenant that costs nothing to read: one that makes everybody, one that finds nothing,
// one in which a hundredth of the people differ, and one in which all do. ROSTERD_BENCH_SIZES sets the numbers of people
// (1000). The heap is what is in use at its highest, sampled.
func BenchmarkDrift(b *testing.B) {
	sizes := os.Getenv("ROSTERD_BENCH_SIZES")
	if sizes == "" {
		sizes = "1000"
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		for size := range strings.SplitSeq(sizes, ",") {
			people, err := strconv.Atoi(size)
			if err != nil {
				b.Fatalf("ROSTERD_BENCH_SIZES: %v", err)
			}
			b.Run(kind+"/"+size, func(b *testing.B) {
				for range b.N {
					d := storetest.Database{Kind: kind, Dir: b.TempDir()}
					if kind == "postgres" {
						d.URL = storetest.Postgres(b)
					}
					drift(b, d, people)
				}
			})
		}
	}
}

func drift(b *testing.B, d storetest.Database, people int) {
	b.Helper()
	db := storetest.Open(b, d)
	w := &world{t: b, db: db, roster: roster.New(db), org: roster.NewID()}
	w.commit(roster.Cause{}, roster.OrgCreate{ID: w.org, Name: "acme", SCIM: true})
	m := mapping.Entra()
	w.conn = w.commit(roster.Cause{}, roster.ConnectionSync{Name: "crowd", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()})[0].ID
	all := &crowd{people: people}
	limits := reconcile.DefaultLimits()
	limits.MismatchPercent = 100 // everybody may differ
	w.cfg = syncer.Config{
		Store: db, Roster: w.roster, Holder: "bench", Log: slog.New(slog.DiscardHandler), Lease: time.Minute, Limits: limits,
		Sources: map[string]syncer.Source{w.conn: {Reader: all, Mapping: m, Evidence: "graph"}},
	}
	w.syncer = w.another("bench")
	stop, peak := make(chan struct{}), make(chan uint64)
	go watchHeap(stop, peak)
	for _, r := range []struct {
		name  string
		every int
		want  int
	}{{"create", 0, people}, {"0%", 0, 0}, {"1%", 100, (people + 99) / 100}, {"100%", 1, people}} {
		all.every = r.every
		all.round++
		began := time.Now()
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		if !w.syncer.WorkOne(b.Context()) {
			b.Fatal("there was no run to work off")
		}
		b.ReportMetric(time.Since(began).Seconds(), r.name+"-s")
		run, err := db.Run(b.Context(), w.org, id)
		w.ok(err)
		if run.State != roster.RunDone || run.Applied < r.want {
			b.Fatalf("%s: the run is %s (%s), applied %d of %d", r.name, run.State, run.Error, run.Applied, r.want)
		}
	}
	close(stop)
	b.ReportMetric(float64(<-peak)/(1<<20), "peak-MB")
}
