package okta_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
)

// TestStatuses is the table of what both statuses make of a person, in a pull and in a look at one.
func TestStatuses(t *testing.T) {
	t.Parallel()
	const (
		on   = "on"
		off  = "off"
		keep = "keep"
		susp = "suspended" // off, or kept
	)
	users := map[string]string{
		"ACTIVE": on, "PASSWORD_EXPIRED": on, "LOCKED_OUT": on, "RECOVERY": on, "PROVISIONED": on,
		"STAGED": off, "SUSPENDED": susp, "DEPROVISIONED": off, "HIBERNATED": keep,
	}
	apps := map[string]string{
		"ACTIVE": on, "PROVISIONED": on, "STAGED": on, "PENDING": on, "APPROVED": on, "IMPLICIT": on, "IMPORTED": on, "MATCHED": on,
		"SUSPENDED": susp, "DEPROVISIONED": off, "INACTIVE": off, "REVOKED": off, "UNASSIGNED": off, "HIBERNATED": keep, "": keep,
	}
	graver := func(a, b string) string {
		for _, s := range []string{off, susp, keep} {
			if a == s || b == s {
				return s
			}
		}
		return on
	}
	for _, policy := range []string{okta.SuspendedOff, okta.SuspendedKeep} {
		for user, u := range users {
			for app, a := range apps {
				want := graver(u, a)
				enabled, kept := want == on, want == keep || want == susp && policy == okta.SuspendedKeep
				name := fmt.Sprintf("suspended %s, user %s, application user %q", policy, user, app)
				c, _ := newFake(t, map[string]http.HandlerFunc{
					appUsers: list(appUser(1, user, app)), appUsers + "/" + id("00u", 1): ok(appUser(1, user, app)),
				}, func(cfg *okta.Config) { cfg.Suspended = policy })
				got := &connectortest.Recorder{}
				must(t, c.Pull(t.Context(), got))
				pulled, _ := got.User(id("00u", 1))
				looked, err := c.Person(t.Context(), id("00u", 1))
				must(t, err)
				if pulled.Enabled != enabled || pulled.Keep != kept {
					t.Errorf("%s: pulled %+v, want %s", name, pulled, want)
				}
				if !looked.InScope || looked.User.Enabled != enabled || looked.User.Keep != kept {
					t.Errorf("%s: looked at %+v, want %s", name, looked, want)
				}
			}
		}
	}
}

// TestUnknownStatusIsTold: who is kept because of a status that isn't known is named in the log, once for each status.
func TestUnknownStatusIsTold(t *testing.T) {
	t.Parallel()
	_, f := newFake(t, map[string]http.HandlerFunc{appUsers: list(
		appUser(1, "HIBERNATED", "ACTIVE"), appUser(2, "HIBERNATED", "ACTIVE"), appUser(3, "DEPROVISIONED", "HIBERNATED"),
		appUser(4, "SUSPENDED", "ACTIVE"), active(5),
	)})
	var told bytes.Buffer
	cfg := okta.Config{OrgURL: orgURL, AppID: appID, APIToken: fakeToken, Suspended: okta.SuspendedKeep}
	c, err := okta.Open(cfg, &http.Client{Transport: f}, slog.New(slog.NewTextHandler(&told, nil)))
	must(t, err)
	must(t, c.Pull(t.Context(), &connectortest.Recorder{}))
	if lines := strings.Count(told.String(), "\n"); lines != 1 || !strings.Contains(told.String(), "HIBERNATED") || !strings.Contains(told.String(), id("00u", 1)) {
		t.Errorf("the log holds %d lines: %s", lines, &told)
	}
}

// TestAttributes: what the application is told of a person is taken, not what the org knows.
func TestAttributes(t *testing.T) {
	t.Parallel()
	u := active(1)
	u["scope"] = "GROUP"
	if p, isProfile := u["profile"].(object); isProfile {
		p["age"], p["remote"], p["tags"], p["address"], p["title"] = 38, true, []string{"a", "b"}, object{"city": "Austin"}, nil
		p["userName"], p["userStatus"] = "from the profile", "from the profile"
	}
	c, _ := newFake(t, map[string]http.HandlerFunc{appUsers: list(u)})
	got := &connectortest.Recorder{}
	must(t, c.Pull(t.Context(), got))
	pulled, _ := got.User(id("00u", 1))
	want := map[string]string{
		"userName": "user1@initech.example", "email": "app1@initech.example", "displayName": "Pete G.",
		"givenName": "Pete", "familyName": "Gibbons", "firstName": "Pete", "lastName": "Gibbons",
		"appUserExternalId": "ours-1", "userStatus": "ACTIVE", "appUserStatus": "PROVISIONED",
		"age": "38", "remote": "true", "tags": "a,b",
	}
	for name, v := range want {
		if pulled.Attributes[name] != v {
			t.Errorf("%s = %q, want %q", name, pulled.Attributes[name], v)
		}
	}
	if len(pulled.Attributes) != len(want) || pulled.Scope != "assigned through a group" {
		t.Errorf("%+v, want %d attributes", pulled, len(want))
	}
}

// TestPersonOutOfScope: the org's user stands in, under the names that the mapping reads.
func TestPersonOutOfScope(t *testing.T) {
	t.Parallel()
	for status, enabled := range map[string]bool{"ACTIVE": true, "DEPROVISIONED": false} {
		c, _ := newFake(t, map[string]http.HandlerFunc{"/users/" + id("00u", 1): ok(orgUser(1, status))})
		got, err := c.Person(t.Context(), id("00u", 1))
		must(t, err)
		if got.InScope || got.User == nil || got.User.Scope != "" || got.User.Enabled != enabled {
			t.Fatalf("Person = %+v", got)
		}
		if a := got.User.Attributes; a["userName"] != "login1@initech.example" || a["email"] != "org1@initech.example" || a["firstName"] != "Peter" {
			t.Errorf("attributes %v", a)
		}
	}
}

// TestFindUsers: the name that Okta pushes is found, which need not be the login; the org's search answers for the rest.
func TestFindUsers(t *testing.T) {
	t.Parallel()
	out := orgUser(7, "ACTIVE")
	c, f := newFake(t, map[string]http.HandlerFunc{
		appUsers: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("q") == "user1@" {
				list(active(1), appUser(2, "ACTIVE", "ACTIVE"))(w, r)
				return
			}
			list(active(1), active(2), active(3))(w, r) // one that does not know q
		},
		"/users": list(orgUser(3, "ACTIVE"), out), // one that does not know search
	})
	for name, tc := range map[string]struct {
		userName, email string
		want            []int
	}{
		"the application's userName":     {"USER2@initech.example", "", []int{2}},
		"the application's email":        {"", "app3@initech.example", []int{3}},
		"only the beginning of one":      {"user1@", "", nil},
		"a login of someone out of it":   {"login7@initech.example", "", []int{7}},
		"a login of an application user": {"login3@initech.example", "", []int{3}},
		"twice the same":                 {"user1@initech.example", "app1@initech.example", []int{1}},
	} {
		f.routes[appUsers+"/"+id("00u", 3)] = ok(active(3))
		found, err := c.FindUsers(t.Context(), tc.userName, tc.email)
		must(t, err)
		ids := map[string]bool{}
		for _, u := range found {
			ids[u.ObjectID] = true
			if u.ObjectID == id("00u", 3) && u.Attributes["userName"] != "user3@initech.example" {
				t.Errorf("%s: an application user as the org has them: %+v", name, u)
			}
		}
		if len(found) != len(tc.want) || len(tc.want) == 1 && !ids[id("00u", tc.want[0])] {
			t.Errorf("%s: %+v, want %v", name, found, tc.want)
		}
	}
	_, err := c.FindUsers(t.Context(), `x" or status pr or id eq "\`, "")
	must(t, err)
	queries := f.requests("/users")
	if got, want := queries[len(queries)-1], `limit=50&search=profile.login+eq+%22x%5C%22+or+status+pr+or+id+eq+%5C%22%5C%5C%22`; got != want {
		t.Errorf("search is %s, want %s", got, want)
	}
}
