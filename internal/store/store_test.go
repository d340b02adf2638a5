package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// fixture is an organisation with one connection.
type fixture struct {
	testing.TB
	db        *store.DB
	org, conn string
}

func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		f := &fixture{TB: t, db: db, org: roster.NewID()}
		f.commit(roster.Cause{}, roster.OrgCreate{ID: f.org, Name: "acme", SCIM: true})
		f.conn = f.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t",
			Managed: []string{roster.AttrUserName}})[0].ID
		test(f)
	})
}

func (f *fixture) commit(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	f.Helper()
	outs, err := roster.New(f.db).Commit(context.Background(), f.org, cause, changes)
	if err != nil {
		f.Fatal(err)
	}
	for _, o := range outs {
		if o.Err != nil {
			f.Fatal(o.Err)
		}
	}
	return outs
}

func push(connection string) roster.Cause {
	return roster.Cause{By: roster.ByPush, Connection: connection}
}

func (f *fixture) member(attributes roster.Attributes) string {
	f.Helper()
	return f.commit(push(f.conn), roster.MemberCreate{Attributes: attributes, Active: true})[0].ID
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func TestFiltersSayTheSameOnBothDatabases(t *testing.T) {
	eq := func(field roster.Field, text string) *roster.Filter {
		return &roster.Filter{Op: roster.Eq, Field: field, Text: text}
	}
	op := func(o roster.FilterOp, field roster.Field, text string) *roster.Filter {
		return &roster.Filter{Op: o, Field: field, Text: text}
	}
	attribute := func(o roster.FilterOp, name, part, text string) *roster.Filter {
		return &roster.Filter{Op: o, Field: roster.FieldAttribute, Attr: roster.Attr{Name: name}, Part: part, Text: text}
	}
	off := &roster.Filter{Op: roster.Eq, Field: roster.FieldActive}
	for name, tc := range map[string]struct {
		filter *roster.Filter
		want   string
	}{
		"userName has no case":             {eq(roster.FieldUserName, "ADA@x.com"), "ada"},
		"userName folds beyond ASCII":      {eq(roster.FieldUserName, "ÉLODIE@x.com"), "élodie"},
		"externalId has case":              {eq(roster.FieldExternalID, "E1"), ""},
		"externalId, exactly":              {eq(roster.FieldExternalID, "e1"), "ada"},
		"email":                            {attribute(roster.Eq, "emails", "value", "Ada@Work.com"), "ada"},
		"family name folds beyond ASCII":   {attribute(roster.Eq, "name", "familyName", "müller"), "élodie"},
		"co with a percent sign":           {op(roster.Co, roster.FieldUserName, "%"), "per%cent"},
		"co with an underscore":            {op(roster.Co, roster.FieldUserName, "_"), ""},
		"sw":                               {op(roster.Sw, roster.FieldUserName, "per"), "per%cent"},
		"ew":                               {op(roster.Ew, roster.FieldUserName, "LODIE@x.com"), "élodie"},
		"sw has case where the value does": {op(roster.Sw, roster.FieldExternalID, "E"), ""},
		"present":                          {op(roster.Present, roster.FieldExternalID, ""), "ada"},
		"not active":                       {off, "per%cent"},
		"and, or, not": {&roster.Filter{Op: roster.And, Sub: []roster.Filter{
			{Op: roster.Or, Sub: []roster.Filter{*eq(roster.FieldUserName, "ada@x.com"), *eq(roster.FieldUserName, "élodie@x.com")}},
			{Op: roster.Not, Sub: []roster.Filter{*eq(roster.FieldExternalID, "e1")}},
		}}, "élodie"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(f *fixture) {
				ada := roster.Attributes{"userName": "ada@x.com", "externalId": "e1"}
				ada.Set(roster.AttrWorkEmail, "ada@work.com")
				f.member(ada)
				f.member(roster.Attributes{"userName": "élodie@x.com", "name": map[string]any{"familyName": "MÜLLER"}})
				id := f.member(roster.Attributes{"userName": "per%cent@x.com"})
				f.commit(push(f.conn), roster.MemberEdit{ID: id, Edit: func(roster.Member) (roster.Attributes, *bool, error) { no := false; return nil, &no, nil }})
				page, err := f.db.Scim(store.View{Org: f.org}).Members(context.Background(), store.Search{Filter: tc.filter, Limit: 10})
				f.ok(err)
				var got []string
				for _, m := range page.Members() {
					got = append(got, strings.TrimSuffix(m.UserName(), "@x.com"))
				}
				if strings.Join(got, " ") != tc.want || page.Total != len(got) {
					f.Errorf("got %v of %d, want %q", got, page.Total, tc.want)
				}
			})
		})
	}
}

func TestListsPageWithoutLosingOrRepeatingAnyone(t *testing.T) {
	each(t, func(f *fixture) {
		var want []string
		for i := range 25 {
			name := fmt.Sprintf("user%02d@x.com", (i*7)%25)
			f.member(roster.Attributes{"userName": name})
			want = append(want, name)
		}
		slices.Sort(want)
		var got []string
		for after := ""; ; {
			page, next, err := f.db.Members(context.Background(), f.org, store.List{Limit: 4, After: after})
			f.ok(err)
			for _, m := range page {
				got = append(got, m.UserName())
			}
			if after = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			f.Errorf("got %v", got)
		}
	})
}

func TestTransactionsThatShareACommitFailAlone(t *testing.T) {
	each(t, func(f *fixture) {
		boom := errors.New("boom")
		var wait sync.WaitGroup
		errs := make([]error, 40)
		for i := range errs {
			wait.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						errs[i] = fmt.Errorf("panicked: %v", p)
					}
				}()
				errs[i] = f.db.InTx(context.Background(), func(tx roster.Tx) error {
					m := roster.Member{ID: roster.NewID(), Org: f.org, Attributes: roster.Attributes{"userName": fmt.Sprintf("u%d", i)}, Status: roster.Pending}
					if err := tx.Write(context.Background(), f.org, &roster.Rows{Members: []roster.MemberRow{{Member: m, New: true}}}); err != nil {
						return err
					}
					switch i % 4 {
					case 1:
						return boom
					case 2:
						panic("panic")
					}
					return nil
				})
			})
		}
		wait.Wait()
		for i, err := range errs {
			if (err == nil) != (i%4 == 0 || i%4 == 3) {
				f.Errorf("transaction %d: %v", i, err)
			}
		}
		if members, _, err := f.db.Members(context.Background(), f.org, store.List{}); err != nil || len(members) != 20 {
			f.Errorf("%d members are there, want 20 (%v)", len(members), err)
		}
	})
}

func TestARunIsClaimedOnceAndItsFenceGrows(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: roster.ModeFull, By: "op"})
		var wait sync.WaitGroup
		claims := make([]*roster.Run, 8)
		for i := range claims {
			wait.Go(func() {
				run, err := f.db.ClaimRun(ctx, fmt.Sprintf("holder %d", i), time.Minute)
				if err != nil {
					f.Error(err)
				}
				claims[i] = run
			})
		}
		wait.Wait()
		claims = slices.DeleteFunc(claims, func(r *roster.Run) bool { return r == nil })
		if len(claims) != 1 {
			f.Fatalf("%d holders", len(claims))
		}
		first := claims[0]
		// A second run of the connection waits while the first one is running.
		f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: roster.ModeFull, By: "op"})
		if run, err := f.db.ClaimRun(ctx, "another", time.Minute); err != nil || run != nil {
			f.Errorf("claimed %v beside a running one (%v)", run, err)
		}
		f.ok(f.db.ReleaseLease(ctx, first))
		second, err := f.db.ClaimRun(ctx, "another", time.Minute)
		f.ok(err)
		if second == nil || second.ID != first.ID || second.Fence <= first.Fence {
			f.Fatalf("taken over: %+v", second)
		}
		if _, err := f.db.RenewLease(ctx, first, time.Minute); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("the old holder renewed: %v", err)
		}
		if err := f.db.FinishRun(ctx, first, store.Ending{}); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("the old holder finished: %v", err)
		}
		if _, err := f.db.RenewLease(ctx, second, time.Minute); err != nil {
			f.Errorf("the new holder could not renew: %v", err)
		}
	})
}

func TestARequestForARunJoinsTheQueuedOne(t *testing.T) {
	each(t, func(f *fixture) {
		ask := func(mode roster.Mode) string {
			return f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: mode, By: "op"})[0].ID
		}
		full, dry := ask(roster.ModeFull), ask(roster.ModeDry)
		if full == dry || ask(roster.ModeFull) != full || ask(roster.ModeDry) != dry {
			f.Error("want one queued run and one queued dry run")
		}
	})
}

// Invariant 11.
func TestNothingOfAnotherOrganisationIsSeen(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		id := f.member(roster.Attributes{"userName": "ada@x.com", "externalId": "e1"})
		other := roster.NewID()
		if _, err := roster.New(f.db).Commit(ctx, other, roster.Cause{}, []roster.Change{roster.OrgCreate{ID: other, Name: "other", SCIM: true}}); err != nil {
			f.Fatal(err)
		}
		if found, err := f.db.Scim(store.View{Org: other}).Member(ctx, id); err != nil || found != nil {
			f.Errorf("read by id: %v %v", found, err)
		}
		outs, err := roster.New(f.db).Commit(ctx, other, push(""), []roster.Change{roster.MemberDelete{ID: id},
			roster.MemberCreate{Attributes: roster.Attributes{"userName": "ada@x.com", "externalId": "e1"}, Active: true}})
		f.ok(err)
		if outs[0].Err == nil || outs[0].Err.Code != roster.NotFound {
			f.Errorf("deleted across organisations: %+v", outs[0])
		}
		if outs[1].Err != nil || outs[1].ID == id {
			f.Errorf("the same userName in another organisation: %+v", outs[1])
		}
	})
}

func TestADatabaseOpensAgainWithWhatWasWritten(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		org := roster.NewID()
		first := storetest.Open(t, d)
		if _, err := roster.New(first).Commit(t.Context(), org, roster.Cause{}, []roster.Change{roster.OrgCreate{ID: org, Name: "acme"}}); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again := storetest.Open(t, d)
		if o, err := again.Organisation(t.Context(), "ACME"); err != nil || o.ID != org {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}

func TestATransactionWhoseCallerGoesAwayDisturbsNobody(t *testing.T) {
	each(t, func(f *fixture) {
		var wait sync.WaitGroup
		for i := range 60 {
			ctx, cancel := context.WithCancel(context.Background())
			gone := i%2 == 0
			wait.Go(func() {
				defer cancel()
				_, err := roster.New(f.db).Commit(ctx, f.org, push(f.conn), []roster.Change{
					roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("u%d", i)}, Active: true}})
				if err != nil && !gone {
					f.Errorf("commit %d: %v", i, err)
				}
			})
			if gone {
				wait.Go(cancel)
			}
		}
		wait.Wait()
		found, _, err := f.db.Members(context.Background(), f.org, store.List{})
		if f.ok(err); len(found) < 30 {
			f.Errorf("%d members, want those 30 at least whose callers stayed", len(found))
		}
	})
}

func TestClosingTurnsWritersAwayAndLosesNothingAcknowledged(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		org, db := roster.NewID(), storetest.Open(t, d)
		r := roster.New(db)
		if _, err := r.Commit(t.Context(), org, roster.Cause{}, []roster.Change{roster.OrgCreate{ID: org, Name: "acme"}}); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		kept, begun := make([]int, 8), make(chan struct{}, 8)
		for w := range kept {
			wait.Go(func() {
				for i := range 100 {
					_, err := r.Commit(t.Context(), org, push(""), []roster.Change{
						roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("u%d.%d", w, i)}, Active: true}})
					if i == 0 {
						begun <- struct{}{}
					}
					if err != nil {
						return // the database is closed
					}
					kept[w]++
				}
			})
		}
		for range kept {
			<-begun
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
		there, _, err := storetest.Open(t, d).Members(t.Context(), org, store.List{})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, n := range kept {
			want += n
		}
		if want == 0 || len(there) < want {
			t.Errorf("%d commits were acknowledged, %d are there", want, len(there))
		}
	})
}
