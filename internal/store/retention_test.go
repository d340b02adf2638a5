package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// replicas are two handles on one database, as two processes have, and a connection past the rules, to make rows old.
type replicas struct {
	fixture
	other *store.DB
	raw   *sqlx.DB
}

func eachReplicas(t *testing.T, test func(r *replicas)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		r := &replicas{fixture: fixture{TB: t, db: storetest.Open(t, d), org: roster.NewID()}, other: storetest.Open(t, d)}
		driver, address := "sqlite", "file:"+filepath.Join(d.Dir, "rosterd.db")+"?_pragma=busy_timeout(15000)"
		if d.URL != "" {
			driver, address = "postgres", d.URL
		}
		var err error
		r.raw, err = sqlx.Open(driver, address)
		r.ok(err)
		t.Cleanup(func() { _ = r.raw.Close() })
		r.commit(roster.Cause{}, roster.OrgCreate{ID: r.org, Name: "acme", SCIM: true})
		test(r)
	})
}

func (r *replicas) sql(query string, args ...any) {
	r.Helper()
	if _, err := r.raw.Exec(r.raw.Rebind(query), args...); err != nil {
		r.Fatal(err)
	}
}

func (r *replicas) count(query string, args ...any) int {
	r.Helper()
	var n int
	r.ok(r.raw.Get(&n, r.raw.Rebind(query), args...))
	return n
}

// idAt is an id made at a time.
func idAt(at time.Time, n int) string {
	id := uuid.UUID{0, 0, 0, 0, 0, 0, 0x70, byte(n >> 16), 0x80, byte(n >> 8), byte(n)}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id.String()
}

// requests logs n requests of an organisation, a second apart from a time on.
func (f *fixture) requests(org string, n int, from time.Time) {
	f.Helper()
	rows := make([]store.LogRow, n)
	for i := range rows {
		at := from.Add(time.Duration(i) * time.Second)
		rows[i].Request = roster.Request{ID: idAt(at, i), Org: org, Time: at, Method: "GET", Path: "/Users", Status: 200, Repeats: 1}
	}
	f.ok(f.db.LogRequests(context.Background(), rows))
}

func TestTheRequestLogIsKeptByAgeAndByCount(t *testing.T) {
	ctx := context.Background()
	eachReplicas(t, func(r *replicas) {
		other := roster.NewID()
		now := time.Now()
		r.requests(r.org, 2500, now.Add(-72*time.Hour))
		r.requests(r.org, 100, now.Add(-time.Hour))
		r.requests(other, 10, now.Add(-72*time.Hour))
		left := func() int { return r.count(`SELECT COUNT(*) FROM requests WHERE org_id = ?`, r.org) }

		n, err := r.db.DropRequests(ctx, r.org, now.Add(-48*time.Hour), 0, 1500)
		if err != nil || n != 2000 || left() != 600 { // two whole batches
			r.Errorf("dropped %d (%v), %d left: want no more than the limit asks for, in batches of 1000", n, err, left())
		}
		if n, err = r.db.DropRequests(ctx, r.org, now.Add(-48*time.Hour), 0, 1500); err != nil || n != 500 || left() != 100 {
			r.Errorf("dropped %d (%v), %d left: want the old ones alone", n, err, left())
		}
		if n, err = r.db.DropRequests(ctx, r.org, now.Add(-48*time.Hour), 100, 1500); err != nil || n != 0 || left() != 100 {
			r.Errorf("dropped %d (%v) of as many as may be kept", n, err)
		}
		if n, err = r.db.DropRequests(ctx, r.org, now.Add(-48*time.Hour), 30, 1500); err != nil || n != 70 || left() != 30 {
			r.Errorf("dropped %d (%v), %d left, want 30", n, err, left())
		}
		oldest := r.list(store.RequestFilter{})[0]
		if want := now.Add(-time.Hour + 70*time.Second); oldest.Time.Sub(want).Abs() > time.Millisecond {
			r.Errorf("the oldest left is of %s, want the newest 30 from %s on", oldest.Time, want)
		}
		if n := r.count(`SELECT COUNT(*) FROM requests WHERE org_id = ?`, other); n != 10 {
			r.Errorf("another organisation has %d rows left", n)
		}
	})
}

func (f *fixture) list(filter store.RequestFilter) []roster.Request {
	f.Helper()
	var out []roster.Request
	for after := ""; ; {
		rows, next, err := f.db.Requests(context.Background(), f.org, filter, store.List{After: after, Limit: 2})
		f.ok(err)
		out = append(out, rows...)
		if after = next; next == "" {
			return out
		}
	}
}

func TestMembershipsThatEndedAreForgottenInTheEnd(t *testing.T) {
	ctx := context.Background()
	eachReplicas(t, func(r *replicas) {
		r.conn = r.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t"})[0].ID
		var people []string
		for i := range 6 {
			people = append(people, r.member(roster.Attributes{"userName": fmt.Sprint("p", i)}))
		}
		team := r.commit(push(r.conn), roster.TeamCreate{DisplayName: "T", Members: people})[0].ID
		remove := func(ids ...string) { r.commit(push(r.conn), roster.TeamEdit{ID: team, Remove: ids}) }
		remove(people[:4]...)
		tombstones := func() int {
			return r.count(`SELECT COUNT(*) FROM memberships WHERE org_id = ? AND present = FALSE`, r.org)
		}
		drop := func(before time.Time) int {
			r.Helper()
			n, err := r.db.DropTombstones(ctx, r.org, before, 1000)
			r.ok(err)
			return n
		}
		now := time.Now()
		if n := drop(now.Add(-time.Hour)); n != 0 || tombstones() != 4 {
			r.Errorf("%d fresh ones dropped", n)
		}
		r.sql(`UPDATE memberships SET written_at = ? WHERE member_id IN (?, ?, ?, ?)`, now.Add(-40*24*time.Hour).UnixMicro(),
			people[0], people[1], people[2], people[5])
		r.commit(push(r.conn), roster.TeamEdit{ID: team, Add: people[:1]}) // back again
		run := r.commit(roster.Cause{}, roster.RunRequest{Connection: r.conn, Mode: roster.ModeFull, By: "test"})[0].Run.ID
		r.sql(`UPDATE runs SET created_at = ? WHERE id = ?`, now.Add(-50*24*time.Hour).UnixMicro(), run)
		if n := drop(now.Add(-30 * 24 * time.Hour)); n != 0 {
			r.Errorf("%d dropped under a run that began before they ended", n)
		}
		r.sql(`UPDATE runs SET state = 'done' WHERE id = ?`, run)
		if n := drop(now.Add(-30 * 24 * time.Hour)); n != 2 || tombstones() != 1 {
			r.Errorf("dropped %d, %d left; want the two that ended long ago", n, tombstones())
		}
		if n := r.count(`SELECT COUNT(*) FROM memberships WHERE org_id = ? AND present = TRUE`, r.org); n != 3 {
			r.Errorf("%d memberships are there, want 3: whoever is in the team stays, however long", n)
		}
	})
}

func TestTombstonesGoInBatches(t *testing.T) {
	eachReplicas(t, func(r *replicas) {
		r.conn = r.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t"})[0].ID
		const n = 2300
		changes := make([]roster.Change, n)
		for i := range changes {
			changes[i] = roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprint("p", i)}, Active: true}
		}
		var people []string
		for _, out := range r.commit(push(r.conn), changes...) {
			people = append(people, out.ID)
		}
		team := r.commit(push(r.conn), roster.TeamCreate{DisplayName: "T", Members: people})[0].ID
		r.commit(push(r.conn), roster.TeamEdit{ID: team, Remove: people})
		for _, want := range []int{1000, 1000, 300, 0} {
			if got, err := r.db.DropTombstones(context.Background(), r.org, time.Now().Add(time.Hour), 1); err != nil || got != want {
				r.Errorf("dropped %d, %v; want %d", got, err, want)
			}
		}
	})
}

func TestRefusalsAreCountedInOneRow(t *testing.T) {
	ctx := context.Background()
	each(t, func(f *fixture) {
		row := func(repeats int, path string) store.LogRow {
			return store.LogRow{
				Request:   roster.Request{ID: roster.NewID(), Org: f.org, Time: time.Now(), Method: "GET", Path: path, Status: 401, Repeats: repeats, Detail: "expired"},
				RepeatKey: "token expired today",
			}
		}
		f.ok(f.db.LogRequests(ctx, []store.LogRow{row(3, "/a")}))
		f.ok(f.db.LogRequests(ctx, []store.LogRow{row(4, "/b")}))
		plain := store.LogRow{Request: roster.Request{ID: roster.NewID(), Org: f.org, Time: time.Now(), Method: "GET", Path: "/c", Status: 200, Repeats: 1, Quirk: "double slash"}}
		f.ok(f.db.LogRequests(ctx, []store.LogRow{plain}))
		f.ok(f.db.LogRequests(ctx, []store.LogRow{plain})) // nobody knew whether it had been written
		f.ok(f.db.LogRequests(ctx, nil))
		got := f.list(store.RequestFilter{})
		if len(got) != 2 || got[0].Repeats != 7 || got[0].Path != "/b" || got[1].Path != "/c" || got[1].Repeats != 1 || got[1].Quirk != "double slash" {
			f.Errorf("logged %+v", got)
		}
	})
}

func TestTheRequestLogIsFiltered(t *testing.T) {
	each(t, func(f *fixture) {
		now := time.Now().Truncate(time.Second)
		add := func(ago time.Duration, name string, r roster.Request) {
			r.ID, r.Org, r.Time, r.TokenName, r.TokenID = idAt(now.Add(-ago), 0), f.org, now.Add(-ago), name, "id-of-"+name
			f.ok(f.db.LogRequest(context.Background(), &r, ""))
		}
		add(4*time.Hour, "one", roster.Request{Method: "GET", Path: "/service/v1/scim/v2/Users?x", Status: 200})
		add(3*time.Hour, "one", roster.Request{Method: "POST", Path: "/scim/v2/Users", Status: 201, Quirk: "capitalised op, boolean in quotes"})
		add(2*time.Hour, "two", roster.Request{Method: "PATCH", Path: "/service/v1/scim/v2/Groups/1_", Status: 409, Detail: "owned by okta"})
		add(1*time.Hour, "two", roster.Request{Method: "GET", Path: "/Usersx", Status: 500, RequestBody: "100%"})
		// A row of refusals: the first is old, the last is not.
		late := roster.Request{ID: idAt(now.Add(-10*time.Hour), 0), Org: f.org, Time: now, Method: "GET", Path: "/z", Status: 401, Repeats: 9}
		f.ok(f.db.LogRequest(context.Background(), &late, "key"))
		bases := []string{"/service/v1/scim/v2", "/scim/v2"}
		for name, tc := range map[string]struct {
			filter store.RequestFilter
			want   string
		}{
			"everything":         {store.RequestFilter{}, "401 200 201 409 500"},
			"by status":          {store.RequestFilter{Low: 400, High: 499}, "401 409"},
			"by token's name":    {store.RequestFilter{Token: "one"}, "200 201"},
			"by token's id":      {store.RequestFilter{Token: "id-of-two"}, "409 500"},
			"by method":          {store.RequestFilter{Method: "get"}, "401 200 500"},
			"by path":            {store.RequestFilter{Path: "/Users", Bases: bases}, "200 201 500"},
			"by path, whole":     {store.RequestFilter{Path: "/scim/v2/Users", Bases: bases}, "201"},
			"a path's underline": {store.RequestFilter{Path: "/Groups/1_", Bases: bases}, "409"},
			"none at the start":  {store.RequestFilter{Path: "/Users_", Bases: bases}, ""},
			"no wildcard":        {store.RequestFilter{Path: "/Groups/_", Bases: bases}, ""},
			"by quirk":           {store.RequestFilter{Quirk: "boolean"}, "201"},
			"by time":            {store.RequestFilter{Since: now.Add(-150 * time.Minute)}, "401 409 500"},
			"all at once":        {store.RequestFilter{Since: now.Add(-150 * time.Minute), Token: "two", Low: 500, High: 599}, "500"},
		} {
			var got []string
			for _, r := range f.list(tc.filter) {
				got = append(got, fmt.Sprint(r.Status))
			}
			if strings.Join(got, " ") != tc.want {
				f.Errorf("%s: %v, want %s", name, got, tc.want)
			}
		}
		for search, want := range map[string]int{"okta": 1, "100%": 1, "%": 1, late.ID: 1, "two": 2, "nothing": 0} {
			got, _, err := f.db.Requests(context.Background(), f.org, store.RequestFilter{}, store.List{Search: search})
			if f.ok(err); len(got) != want {
				f.Errorf("search %q: %d, want %d", search, len(got), want)
			}
		}
	})
}

func TestAWarningIsGivenOnceByHoweverManyReplicas(t *testing.T) {
	ctx := context.Background()
	eachReplicas(t, func(r *replicas) {
		now := time.Now()
		for name, expires := range map[string]time.Duration{"soon": 5 * 24 * time.Hour, "later": 60 * 24 * time.Hour, "over": -time.Hour, "off": time.Hour} {
			id := r.commit(roster.Cause{}, roster.TokenCreate{Token: roster.Token{ID: roster.NewID(), Name: name, Hash: []byte("x"), ExpiresAt: now.Add(expires)}})[0].ID
			if name == "off" {
				r.commit(roster.Cause{}, roster.TokenSet{ID: id, Disabled: true})
			}
		}
		r.sql(`UPDATE tokens SET created_at = ?`, now.Add(-100*24*time.Hour).UnixMicro())
		due, err := r.other.ExpiringTokens(ctx, roster.FirstWarning)
		if err != nil || len(due) != 1 || due[0].Name != "soon" {
			r.Fatalf("due: %+v, %v", due, err)
		}
		cause := roster.Cause{Actor: roster.Actor{Kind: roster.ActorSystem, Name: "rosterd"}}
		warn := func(db *store.DB) roster.Result {
			outs, err := roster.New(db).Commit(ctx, r.org, cause, []roster.Change{roster.TokenWarn{ID: due[0].ID}})
			if err != nil {
				r.Error(err)
				return ""
			}
			return outs[0].Result
		}
		applied := make([]roster.Result, 8)
		var all sync.WaitGroup
		for i := range applied {
			all.Go(func() { applied[i] = warn([]*store.DB{r.db, r.other}[i%2]) })
		}
		all.Wait()
		slices.Sort(applied)
		if applied[0] != roster.Applied || applied[1] != roster.Unchanged || applied[7] != roster.Unchanged {
			r.Errorf("results %v, want one applied", applied)
		}
		events, _, err := r.db.Events(ctx, r.org, store.List{Search: "token.expiring"})
		if err != nil || len(events) != 1 || events[0].Subject.Name != "soon" || events[0].Actor.Kind != roster.ActorSystem ||
			!strings.Contains(string(events[0].After), `"days":7`) || !strings.Contains(events[0].Reason, "less than 7 days") {
			r.Errorf("events %+v, %v", events, err)
		}
		r.sql(`UPDATE tokens SET expires_at = ? WHERE name = 'soon'`, now.Add(time.Hour).UnixMicro())
		if got := warn(r.other); got != roster.Applied {
			r.Errorf("on the last day: %s", got)
		}
	})
}

// A warning and a switch of the same token at once: neither writes over the other.
func TestATokensChangesAreDecidedOneAfterTheOther(t *testing.T) {
	ctx := context.Background()
	eachReplicas(t, func(r *replicas) {
		for i := range 10 {
			id := r.commit(roster.Cause{}, roster.TokenCreate{Token: roster.Token{
				ID: roster.NewID(), Name: fmt.Sprint("t", i), Hash: []byte("x"), ExpiresAt: time.Now().Add(time.Hour),
			}})[0].ID
			r.sql(`UPDATE tokens SET created_at = 1 WHERE id = ?`, id)
			rate := 30
			var all sync.WaitGroup
			for k, change := range []roster.Change{roster.TokenWarn{ID: id}, roster.TokenSet{ID: id, Disabled: true}, roster.TokenLimit{ID: id, Rate: &rate}} {
				all.Go(func() {
					if _, err := roster.New([]*store.DB{r.db, r.other}[k%2]).Commit(ctx, r.org, roster.Cause{}, []roster.Change{change}); err != nil {
						r.Error(err)
					}
				})
			}
			all.Wait()
			got, _, err := r.db.TokenByID(ctx, id)
			if err != nil || !got.Disabled || got.Rate != 30 {
				r.Fatalf("stored %+v, %v", got, err)
			}
		}
	})
}
