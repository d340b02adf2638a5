package idpsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

func TestOktaFaultsStrikeWhereTheyAreTold(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 3, Members: 30, Groups: 3})
	defer o.Inject(idpsim.Fault{Path: "/apps/*/users", Query: "after=", Status: 429, RetryAfter: "7", Count: 1})()
	path := o.app("/users?limit=5")
	next := o.get(path).link("next")
	a := o.get(next)
	reset, _ := strconv.ParseInt(a.Header.Get("X-Rate-Limit-Reset"), 10, 64)
	date, err := http.ParseTime(a.Header.Get("Date"))
	if a.Status != 429 || a.code() != "E0000047" || err != nil || reset-date.Unix() != 7 || a.Header.Get("X-Rate-Limit-Remaining") != "0" {
		t.Errorf("%d %s, reset %d after %v", a.Status, a.Raw, reset, date)
	}
	if a := o.get(next); a.Status != http.StatusOK {
		t.Errorf("after its count: %d", a.Status)
	}
	o.Inject(idpsim.Fault{Path: "/api/v1/groups/**", Status: 500, Bare: true})
	if a := o.get("/groups/x/users"); a.Status != 500 || a.Header.Get("X-Rate-Limit-Reset") != "" || a.code() != "E0000009" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	o.ClearFaults()
	if n := o.Requests()["GET /apps/{app}/users"]; n != 3 {
		t.Errorf("counted %d requests: %v", n, o.Requests())
	}
	o.ResetRequests()
	if len(o.Requests()) != 0 {
		t.Errorf("after the reset: %v", o.Requests())
	}
}

func TestOktaListsCanBeSpoilt(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 3, Members: 30, Groups: 3})
	path := o.app("/users?limit=5")
	for name, c := range map[string]struct {
		fault idpsim.Fault
		check func(a oktaAnswer) bool
	}{
		"empty":        {idpsim.Fault{Empty: true}, func(a oktaAnswer) bool { return string(a.Raw) == "[]" && a.link("next") == "" }},
		"no next link": {idpsim.Fault{DropNextLink: true}, func(a oktaAnswer) bool { return len(a.list()) == 5 && a.link("next") == "" }},
		"another link": {idpsim.Fault{NextLink: o.url + "/x"}, func(a oktaAnswer) bool { return a.link("next") == o.url+"/x" }},
	} {
		remove := o.Inject(c.fault)
		if a := o.get(path); a.Status != http.StatusOK || !c.check(a) {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Raw)
		}
		remove()
	}
	for name, fault := range map[string]idpsim.Fault{"truncated": {Truncate: true, Count: 1}, "dropped": {Drop: true}} {
		remove := o.Inject(fault)
		a, err := o.try(path)
		if err == nil && json.Valid(a.Raw) {
			t.Errorf("%s: %d %s", name, a.Status, a.Raw)
		}
		remove()
	}
}

func TestOktaHooksAndLag(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{})
	g := o.team("Access")
	u := o.person("ada@initech.example")
	o.must(o.AssignGroup(g.ID), o.AddToGroup(g.ID, u.ID), o.Suspend(u.ID), o.DeleteGroup(g.ID))
	for lag, want := range map[int]struct{ status, app int }{0: {200, 404}, 1: {200, 200}, 3: {200, 404}, 5: {404, 404}, 99: {404, 404}} {
		remove := o.Inject(idpsim.Fault{Lag: lag})
		if a, b := o.get("/users/"+u.ID), o.get(o.app("/users/"+u.ID)); a.Status != want.status || b.Status != want.app {
			t.Errorf("lag %d: %d and %d", lag, a.Status, b.Status)
		}
		remove()
	}
	o.must(o.Unsuspend(u.ID))
	order := ""
	o.Inject(idpsim.Fault{Path: "/users", Count: 1,
		BeforeRead:   func() { order += "read "; o.person("grace@initech.example") },
		BeforeAnswer: func() { order += "answer"; o.person("late@initech.example") },
	})
	if n := len(o.get("/users").list()); n != 2 || order != "read answer" || len(o.Users()) != 3 {
		t.Errorf("%d people, hooks %q, %d afterwards", n, order, len(o.Users()))
	}
}

func TestTheLogTellsOfEveryMutationInOrder(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := newOkta(t, idpsim.OktaConfig{Now: func() time.Time { now = now.Add(time.Second); return now }})
	u, g := o.person("ada@initech.example"), o.team("Access")
	o.must(o.AssignGroup(g.ID), o.AddToGroup(g.ID, u.ID), o.Suspend(u.ID), o.Unsuspend(u.ID), o.RemoveFromGroup(g.ID, u.ID),
		o.AssignUser(u.ID), o.Deactivate(u.ID))
	want := []string{
		"user.lifecycle.create", "user.lifecycle.activate", "group.lifecycle.create", "group.application_assignment.add",
		"group.user_membership.add", "application.user_membership.add", "user.lifecycle.suspend", "user.lifecycle.unsuspend",
		"group.user_membership.remove", "application.user_membership.remove", "application.user_membership.add",
		"user.lifecycle.deactivate", "application.user_membership.remove",
	}
	var got []string
	seen := map[string]bool{}
	path := "/logs?limit=4&sortOrder=ASCENDING&since=2025-12-31T00:00:00Z"
	for range 10 {
		a := o.get(path)
		if a.Status != http.StatusOK || a.link("next") == "" {
			t.Fatalf("%d %s, no next link", a.Status, a.Raw)
		}
		path = a.link("next")
		for _, e := range a.list() {
			got = append(got, text(e, "eventType"))
			seen[text(e, "uuid")] = true
		}
		if len(a.list()) == 0 {
			break
		}
	}
	if !slices.Equal(got, want) || len(seen) != len(want) {
		t.Errorf("events %q, want %q", got, want)
	}
	o.must(o.Activate(u.ID))
	if more := o.get(path).list(); len(more) != 1 || !strings.Contains(fmt.Sprint(more[0]["target"]), u.ID) {
		t.Errorf("polled later: %v", more)
	}
}

func TestTheLogCanBeFiltered(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{})
	u := o.person("ada@initech.example")
	o.must(o.AssignUser(u.ID), o.UnassignUser(u.ID))
	future := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	for query, want := range map[string]int{
		`filter=eventType eq "application.user_membership.add"`: 1, "since=" + future: 0, "until=" + future: 4,
		"until=" + future + "&limit=3": 3, "sortOrder=DESCENDING&limit=2": 2, "until=2020-01-01T00:00:00Z": 0,
	} {
		a := o.get("/logs?" + query)
		if len(a.list()) != want {
			t.Errorf("%s: %d events", query, len(a.list()))
		}
		if next := a.link("next"); strings.HasPrefix(query, "until") && (next != "") != strings.Contains(query, "limit") {
			t.Errorf("%s: next link %q", query, next)
		}
	}
	first := o.get("/logs?sortOrder=DESCENDING&limit=3")
	rest := o.get(first.link("next"))
	if text(first.list()[0], "eventType") != "application.user_membership.remove" || len(rest.list()) != 1 || rest.link("next") != "" {
		t.Errorf("newest first: %s, then %s", first.Raw, rest.Raw)
	}
	for _, query := range []string{"since=yesterday", "limit=0", "after=x", "filter=x"} {
		if a := o.get("/logs?" + query); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.Status)
		}
	}
	o.Inject(idpsim.Fault{Path: "/logs", Lag: 1})
	if n := len(o.get("/logs").list()); n != 3 {
		t.Errorf("a log that lags behind has %d events", n)
	}
}

func TestThePushEngineLogsWhatItDid(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.UnassignUser(user))
	b.cycle()
	got := map[string]int{}
	for _, e := range b.get("/logs?limit=1000").list() {
		got[text(e, "eventType")+" "+text(e, "outcome", "result")]++
	}
	for _, want := range []string{
		"application.provision.user.push SUCCESS", "application.provision.group_push.pushed SUCCESS",
		"application.provision.user.deactivate SUCCESS",
	} {
		if got[want] != 1 {
			t.Errorf("%s: %d, of %v", want, got[want], got)
		}
	}
}

func TestAnOktaTenantListensUntilClosed(t *testing.T) {
	tenant := idpsim.NewOkta(idpsim.OktaConfig{Seed: 1, Members: 3})
	srv, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &okta{OktaTenant: tenant, t: t, url: srv.URL}
	if n := len(o.get(o.app("/users")).list()); n < 3 {
		t.Errorf("%d application users", n)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
}
