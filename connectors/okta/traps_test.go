package okta_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
)

// pulled runs a pull and returns what it handed over.
func pulled(t *testing.T, c *okta.Connector) *connectortest.Recorder {
	t.Helper()
	got := &connectortest.Recorder{}
	must(t, c.Pull(t.Context(), got))
	return got
}

func listOf(t *testing.T, got *connectortest.Recorder, kind connectors.CollectionKind, id string) connectors.Collection {
	t.Helper()
	l, found := got.ListOf(kind, id)
	if !found {
		t.Errorf("list %s %s was not reported", kind, id)
	}
	return l
}

// TestLinks: the next page is where the link says, and nowhere else; a header that cannot be read is no end of a list.
func TestLinks(t *testing.T) {
	t.Parallel()
	self := `<` + orgURL + `/api/v1` + appUsers + `?limit=500&expand=user>; rel="self"`
	for name, tc := range map[string]struct {
		links []string
		pages int    // 2: the list is whole
		err   string // why it isn't
	}{
		"none":                         {nil, 1, ""},
		"self and next":                {[]string{self, next(appUsers, "p2")}, 2, ""},
		"both in one header":           {[]string{self + ", " + next(appUsers, "p2")}, 2, ""},
		"next before self":             {[]string{next(appUsers, "p2") + "," + self}, 2, ""},
		"a comma in the link":          {[]string{strings.Replace(next(appUsers, "p2"), "?", "?x=1,2&", 1)}, 2, ""},
		"several relations":            {[]string{strings.Replace(next(appUsers, "p2"), `"next"`, `"nofollow next"`, 1)}, 2, ""},
		"no quotes":                    {[]string{strings.Replace(next(appUsers, "p2"), `"next"`, `next`, 1)}, 2, ""},
		"another host":                 {[]string{strings.Replace(next(appUsers, "p2"), "127.0.0.1", "127.0.0.2", 1)}, 1, "another place"},
		"another port":                 {[]string{strings.Replace(next(appUsers, "p2"), "8098", "8099", 1)}, 1, "another place"},
		"a host that begins the same":  {[]string{`<` + orgURL + `.evil.example/api/v1?after=p2>; rel="next"`}, 1, ""},
		"no brackets":                  {[]string{`/api/v1/apps?after=p2; rel="next"`}, 1, "Link header"},
		"a link that is none":          {[]string{`<http://127.0.0.1:8098/%zz>; rel="next"`}, 1, ""},
		"the same page for ever":       {[]string{next(appUsers, "p1")}, 1, "same page"},
		"a relative link to somewhere": {[]string{`<//evil.example/api?after=p2>; rel="next"`}, 1, "another place"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := newFake(t, map[string]http.HandlerFunc{
				appUsers: linked(list(active(1)), tc.links...), appUsers + "#p2": list(active(2)),
				appUsers + "#p1": linked(list(active(1)), tc.links...),
			})
			got := &connectortest.Recorder{}
			err := c.Pull(t.Context(), got)
			if name == "none" || tc.pages == 2 {
				must(t, err)
				if l := listOf(t, got, connectors.Users, ""); !l.Whole || l.Count != tc.pages {
					t.Errorf("list of users: %+v", l)
				}
				return
			}
			if err == nil { // it broke off after the first page
				l := listOf(t, got, connectors.Users, "")
				err = errors.New(l.Err)
				if l.Whole {
					t.Errorf("list of users is whole: %+v", l)
				}
			} else if connectors.FaultOf(err) != connectors.Broken {
				t.Errorf("Pull = %v, want broken", err)
			}
			if !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %q, want %q", err, tc.err)
			}
		})
	}
}

// TestNextIsNotMerged: a next link is followed as it is, without the first request's parameters.
func TestNextIsNotMerged(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, map[string]http.HandlerFunc{
		appUsers: linked(list(active(1)), next(appUsers, "p2")), appUsers + "#p2": linked(list(active(2)), next(appUsers, "p3")),
		appUsers + "#p3": list(active(3)),
	})
	if l := listOf(t, pulled(t, c), connectors.Users, ""); !l.Whole || l.Count != 3 {
		t.Errorf("list of users: %+v", l)
	}
	if got, want := f.requests(appUsers), []string{"expand=user&limit=500", "after=p2", "after=p3"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

// TestNoListIsNotAnEmptyList: answers that the SDK would take for an empty list end the pull.
func TestNoListIsNotAnEmptyList(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"no body":             reply(http.StatusOK, ""),
		"white space":         reply(http.StatusOK, "  \n"),
		"null":                reply(http.StatusOK, "null"),
		"null in it":          reply(http.StatusOK, "[null]"),
		"an object":           reply(http.StatusOK, "{}"),
		"cut off":             reply(http.StatusOK, `[{"id":"00u1"`),
		"no content":          reply(http.StatusNoContent, ""),
		"a page of a proxy's": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Sign in</html>")) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example/", http.StatusFound)
		},
		"someone without id": list(object{"status": "ACTIVE", "_embedded": object{"user": object{"status": "ACTIVE"}}}),
		"an id that is a path": list(func() object {
			u := active(1)
			u["id"] = "../../groups"
			return u
		}()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := newFake(t, map[string]http.HandlerFunc{appUsers: h})
			got := &connectortest.Recorder{}
			err := c.Pull(t.Context(), got)
			l, reported := got.ListOf(connectors.Users, "")
			if connectors.FaultOf(err) != connectors.Broken && (!reported || l.Whole) {
				t.Errorf("Pull = %v with list %+v", err, l)
			}
		})
	}
}

// TestStatusNotTold: an application user without the org's user is not taken for anything.
func TestStatusNotTold(t *testing.T) {
	t.Parallel()
	u := active(1)
	delete(u, "_embedded")
	c, _ := newFake(t, map[string]http.HandlerFunc{
		appUsers: list(u), appUsers + "/" + id("00u", 1): ok(u), "/users": list(), "/groups": list(),
	})
	got := pulled(t, c)
	if l := listOf(t, got, connectors.Users, ""); l.Whole || !strings.Contains(l.Err, "okta.users.read") {
		t.Errorf("list of users: %+v", l)
	}
	if _, err := c.Person(t.Context(), id("00u", 1)); connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("Person = %v", err)
	}
	if err := c.Test(t.Context()); connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("Test = %v", err)
	}
}

// TestAnotherObjectsAnswer: Okta finds users by more than the id; an answer about somebody else is none.
func TestAnotherObjectsAnswer(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, map[string]http.HandlerFunc{
		"/users/" + id("00u", 1): ok(orgUser(2, "ACTIVE")), appUsers + "/" + id("00u", 1): ok(active(2)),
	})
	if got, err := c.Person(t.Context(), id("00u", 1)); err != nil || got.User != nil || got.InScope {
		t.Errorf("Person = %+v, %v", got, err)
	}
	before := len(f.seen)
	for _, bad := range []string{"", ".", "a/b", "a?b", "a b", "a@b", strings.Repeat("a", 65)} {
		_, errPerson := c.Person(t.Context(), bad)
		_, errTeam := c.Team(t.Context(), bad)
		_, errMembers := c.GroupMembers(t.Context(), bad)
		for _, err := range []error{errPerson, errTeam, errMembers} {
			if connectors.FaultOf(err) != connectors.Broken {
				t.Errorf("id %q: %v", bad, err)
			}
		}
	}
	if len(f.seen) != before {
		t.Error("a request was made for an id that is none")
	}
}

// TestApplicationIsGone: that the application is not known says nothing about its people.
func TestApplicationIsGone(t *testing.T) {
	t.Parallel()
	gone := refuse(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+appID+" (AppInstance)")
	for name, h := range map[string]http.HandlerFunc{"named": gone, "not named": refuse(http.StatusNotFound, "", "")} {
		c, _ := newFake(t, map[string]http.HandlerFunc{
			appUsers: gone, appUsers + "/" + id("00u", 1): h, "/users/" + id("00u", 1): ok(orgUser(1, "ACTIVE")),
		})
		if got, err := c.Person(t.Context(), id("00u", 1)); connectors.FaultOf(err) != connectors.NotFound || !strings.Contains(err.Error(), "app_id") {
			t.Errorf("%s: Person = %+v, %v", name, got, err)
		}
	}
}

// TestErrorsSayWhatToDo: the fault, what to do about it, and never the token.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for status, tc := range map[int]struct {
		fault connectors.Fault
		want  string
	}{
		401: {connectors.BadCredentials, "api_token"},
		403: {connectors.MissingPermission, "okta.apps.read"},
		404: {connectors.NotFound, "app_id"},
		400: {connectors.Broken, "E0000001"},
		501: {connectors.Unreachable, "501"},
	} {
		c, _ := newFake(t, map[string]http.HandlerFunc{
			appUsers: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Www-Authenticate", `Bearer error_description = "`+fakeToken)
				refuse(status, "E0000001", "The token "+fakeToken+" is not good enough")(w, r)
			},
		})
		err := c.Pull(t.Context(), &connectortest.Recorder{})
		if connectors.FaultOf(err) != tc.fault || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), fakeToken) {
			t.Errorf("%d: Pull = %v, want %s with %q", status, err, tc.fault, tc.want)
		}
	}
}
