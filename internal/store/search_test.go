package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

func email(text string) *roster.Filter {
	return &roster.Filter{Op: roster.Eq, Field: roster.FieldAttribute, Attr: roster.Attr{Name: "emails"}, Part: "value", Text: text}
}

func workEmail(text string) *roster.Filter {
	part := func(name, text string) roster.Filter {
		return roster.Filter{Op: roster.Eq, Field: roster.FieldPart, Part: name, Text: text}
	}
	return &roster.Filter{Op: roster.Any, Field: roster.FieldAttribute, Attr: roster.Attr{Name: "emails"}, Sub: []roster.Filter{
		{Op: roster.And, Sub: []roster.Filter{part("type", "work"), part("value", text)}},
	}}
}

func is(field roster.Field, text string) *roster.Filter {
	return &roster.Filter{Op: roster.Eq, Field: field, Text: text}
}

func of(field roster.Field, id string) *roster.Filter {
	return &roster.Filter{Op: roster.Eq, Field: field, Part: roster.PartID, Text: id}
}

// The look-ups that identity providers make must not get slower with the number of members.
func TestLookUpsUseAnIndex(t *testing.T) {
	ctx := context.Background()
	each(t, func(f *fixture) {
		var changes []roster.Change
		for i := range 3000 {
			name := fmt.Sprintf("user%d@x.com", i)
			changes = append(changes, roster.MemberCreate{Active: true, Attributes: roster.Attributes{
				"userName": name, "externalId": fmt.Sprint("e", i), "displayName": fmt.Sprint("User ", i),
				"emails": []any{map[string]any{"type": "work", "value": name}, map[string]any{"type": "home", "value": "home" + name}},
			}})
		}
		outs := f.commit(push(f.conn), changes...)
		var teams []roster.Change
		for i := range 500 {
			teams = append(teams, roster.TeamCreate{DisplayName: fmt.Sprint("Team ", i), ExternalID: fmt.Sprint("t", i), Members: []string{outs[i].ID, outs[i+1].ID}})
		}
		made := f.commit(push(f.conn), teams...)
		member, team := outs[7].ID, made[7].ID
		tests := map[string]struct {
			teams  bool
			filter *roster.Filter
			finds  int
		}{
			"userName":       {false, is(roster.FieldUserName, "USER7@x.com"), 1},
			"externalId":     {false, is(roster.FieldExternalID, "e7"), 1},
			"id":             {false, is(roster.FieldID, member), 1},
			"displayName":    {false, &roster.Filter{Op: roster.Eq, Field: roster.FieldAttribute, Attr: roster.Attr{Name: "displayName", Single: true}, Part: "value", Text: "user 7"}, 1},
			"emails":         {false, email("homeuser7@X.com"), 1},
			"work email":     {false, workEmail("user7@x.com"), 1},
			"groups":         {false, of(roster.FieldTeam, team), 2},
			"two terms":      {false, &roster.Filter{Op: roster.And, Sub: []roster.Filter{*email("user7@x.com"), {Op: roster.Eq, Field: roster.FieldActive, Bool: true}}}, 1},
			"a team's name":  {true, is(roster.FieldDisplayName, "team 7"), 1},
			"a team's key":   {true, is(roster.FieldExternalID, "t7"), 1},
			"a team's id":    {true, is(roster.FieldID, team), 1},
			"members":        {true, of(roster.FieldMember, member), 2},
			"id and members": {true, &roster.Filter{Op: roster.And, Sub: []roster.Filter{*is(roster.FieldID, team), *of(roster.FieldMember, member)}}, 1},
		}
		// A database that was just filled has no statistics; one that has run for a while does.
		for _, when := range []string{"fresh", "analysed"} {
			for name, tc := range tests {
				f.lookUp(when+", "+name, tc.teams, tc.filter, tc.finds)
			}
			f.ok(f.db.Analyse(ctx))
		}
	})
}

func (f *fixture) lookUp(name string, teams bool, filter *roster.Filter, finds int) {
	f.Helper()
	ctx := context.Background()
	reader, search := f.db.Scim(store.View{Org: f.org}), store.Search{Filter: filter, Limit: 100}
	read := reader.Members
	if teams {
		read = reader.Teams
	}
	page, err := read(ctx, search)
	f.ok(err)
	plan, err := reader.Plan(ctx, teams, search)
	f.ok(err)
	if page.Total != finds || len(page.Items) != finds || walks(f.db.Kind(), plan) {
		f.Errorf("%s: finds %d; plan:\n%s", name, page.Total, plan)
	}
}

// walks reports whether a plan looks at every member or team: in no order, or in that of an index by the organisation
// alone. Members with many emails and groups within groups are few, and here there are none.
func walks(kind, plan string) bool {
	before := ""
	for line := range strings.Lines(plan) {
		few := strings.Contains(before+line, "members_more_emails") || strings.Contains(before+line, "team_groups")
		before = line
		if few {
			continue
		}
		if kind == "postgres" {
			alone := strings.Contains(line, "Index Cond: (org_id = ") && !strings.Contains(line, " AND ")
			if alone || strings.Contains(line, "Seq Scan on ") {
				return true
			}
			continue
		}
		if strings.HasPrefix(line, "SCAN m") || strings.HasPrefix(line, "SCAN t") || strings.Contains(line, "(org_id=?)") {
			return true
		}
	}
	return false
}

func TestAnEmailIsFoundWhicheverItIs(t *testing.T) {
	each(t, func(f *fixture) {
		value := func(kind, value string) any { return map[string]any{"type": kind, "value": value} }
		f.member(roster.Attributes{"userName": "three", "emails": []any{value("home", "A@x.com"), value("work", "b@x.com"), value("other", "c@x.com"), value("work", "d@x.com")}})
		f.member(roster.Attributes{"userName": "two", "emails": []any{value("home", "a@x.com"), value("home", "a@X.com"), value("work", "e@x.com")}})
		f.member(roster.Attributes{"userName": "none"})
		for text, want := range map[string]string{"a@x.com": "three two", "b@x.com": "three", "c@x.com": "three", "D@x.com": "three", "e@x.com": "two", "f@x.com": "", "": ""} {
			if got := f.found(email(text)); got != want {
				f.Errorf("%q finds %q, want %q", text, got, want)
			}
		}
		for text, want := range map[string]string{"a@x.com": "", "b@x.com": "three", "d@x.com": "three", "e@x.com": "two"} {
			if got := f.found(workEmail(text)); got != want {
				f.Errorf("work email %q finds %q, want %q", text, got, want)
			}
		}
	})
}

// found returns the userNames of the members that a filter finds.
func (f *fixture) found(filter *roster.Filter) string {
	f.Helper()
	page, err := f.db.Scim(store.View{Org: f.org}).Members(context.Background(), store.Search{Filter: filter, Limit: 100})
	f.ok(err)
	var names []string
	for _, m := range page.Members() {
		names = append(names, m.UserName())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestMembersFromBeforeSearchDocumentsAreFoundOnceTheDatabaseIsOpened(t *testing.T) {
	ctx := context.Background()
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		f := &fixture{TB: t, db: storetest.Open(t, d), org: roster.NewID()}
		f.commit(roster.Cause{}, roster.OrgCreate{ID: f.org, Name: "acme", SCIM: true})
		var changes []roster.Change
		for i := range 1200 {
			changes = append(changes, roster.MemberCreate{Active: true, Attributes: roster.Attributes{
				"userName": fmt.Sprint("user", i), "title": fmt.Sprint("Title ", i),
				"emails": []any{map[string]any{"value": fmt.Sprint(i, "@a")}, map[string]any{"value": fmt.Sprint(i, "@b")}, map[string]any{"value": fmt.Sprint(i, "@c")}},
			}})
		}
		f.commit(push(""), changes...)
		title := &roster.Filter{Op: roster.Eq, Field: roster.FieldAttribute, Attr: roster.Attr{Name: "title"}, Part: "value", Text: "title 1100"}
		f.ok(f.db.ForgetSearch(ctx))
		if got := f.found(title); got != "" {
			t.Fatalf("found %q without a search document", got)
		}
		f.ok(f.db.Close())
		f.db = storetest.Open(t, d)
		for _, filter := range []*roster.Filter{title, email("1100@B"), email("1100@C")} {
			if got := f.found(filter); got != "user1100" {
				t.Errorf("found %q", got)
			}
		}
	})
}
