package scimserver_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/scimserver"
)

func TestErrorsAreSCIMs(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng", ada)
		for _, tc := range []struct {
			q      request
			status int
			kind   string
		}{
			{request{method: "GET", path: "/Users/nobody"}, 404, ""},
			{request{method: "GET", path: "/Users/%00"}, 404, ""},
			{request{method: "GET", path: "/Users/" + g}, 404, ""},
			{request{method: "GET", path: "/Groups/" + ada}, 404, ""},
			{request{method: "GET", path: "/Users/" + ada + "/emails"}, 404, ""},
			{request{method: "GET", path: "/Robots"}, 404, ""},
			{request{method: "DELETE", path: "/Users"}, 405, ""},
			{request{method: "POST", path: "/Users/" + ada, body: entraUser}, 405, ""},
			{request{method: "TRACE", path: "/Users"}, 405, ""},
			{request{method: "GET", path: "/Me"}, 501, ""},
			{request{method: "GET", path: "/Bulk"}, 405, ""},
			{request{method: "POST", path: "/Bulk", body: "{}"}, 400, "invalidSyntax"},
			{request{method: "POST", path: "/Users", body: "{"}, 400, "invalidSyntax"},
			{request{method: "POST", path: "/Users", body: " \n"}, 400, "invalidSyntax"},
			{request{method: "PUT", path: "/Users/" + ada}, 400, "invalidSyntax"},
			{request{method: "PATCH", path: "/Groups/" + g}, 400, "invalidSyntax"},
			{request{method: "POST", path: "/Users", body: "[]"}, 400, "invalidSyntax"},
			{request{method: "POST", path: "/Users", body: `{"displayName":"x"}`}, 400, "invalidValue"},
			{request{method: "POST", path: "/Groups", body: `{"members":[]}`}, 400, "invalidValue"},
			{request{method: "POST", path: "/Users", body: `{"userName":"x@x.com","active":"perhaps"}`}, 400, "invalidValue"},
			{request{method: "PATCH", path: "/Users/" + ada, body: patch(`{"op":"replace","path":"id","value":"x"}`)}, 400, "mutability"},
			{request{method: "PATCH", path: "/Users/" + ada, body: patch(`{"op":"remove","path":"userName"}`)}, 400, "mutability"},
			{request{method: "PATCH", path: "/Users/" + ada, body: patch(`{"op":"remove"}`)}, 400, "noTarget"},
			{request{method: "PATCH", path: "/Users/" + ada, body: patch(`{"op":"replace","path":"emails[","value":"x"}`)}, 400, "invalidPath"},
			{request{method: "PATCH", path: "/Users/nobody", body: patch(`{"op":"replace","path":"title","value":"x"}`)}, 404, ""},
			{request{method: "PATCH", path: "/Groups/nobody", body: patch(`{"op":"replace","path":"displayName","value":"x"}`)}, 404, ""},
			{request{method: "POST", path: "/Users", body: entraUser, header: map[string]string{"Content-Type": "text/xml"}}, 415, ""},
			{request{method: "POST", path: "/Users", body: entraUser, header: map[string]string{"Content-Type": "application/json; charset=latin1"}}, 415, ""},
			{request{method: "POST", path: "/Users", body: entraUser, header: map[string]string{"Content-Encoding": "br"}}, 415, ""},
			{request{method: "GET", path: "/Users?count=many"}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?startIndex=1.5"}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?sortOrder=up"}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?sortBy=name"}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?sortBy=user%20name"}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?filter=title+pr&filter=id+pr"}, 400, "invalidValue"},
			{request{method: "PUT", path: "/Users/.search", body: "{}"}, 405, ""},
			{request{method: "GET", path: "/.search"}, 405, ""},
			{request{method: "DELETE", path: ""}, 405, ""},
			{request{method: "POST", path: "/Users/.search", body: "[]"}, 400, "invalidSyntax"},
			{request{method: "POST", path: "/Users/.search", body: `{"filter":"userName eq"}`}, 400, "invalidFilter"},
			{request{method: "POST", path: "/.search", body: `{"count":{}}`}, 400, "invalidValue"},
			{request{method: "GET", path: "/Users?filter=%zz"}, 400, "invalidSyntax"},
			{request{method: "GET", path: "/Users" + where(`userName eq true`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`userName eq "a`+"\x00"+`"`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`userName eq "a`+"\xff"+`"`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`meta.created gt "soon"`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`active eq "x"`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`active gt true`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`x509Certificates.value lt "a"`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(`userName[value eq "x"]`)}, 400, "invalidFilter"},
			{request{method: "GET", path: "/Users" + where(strings.Repeat("(", 10_000)+`title pr`+strings.Repeat(")", 10_000))}, 400, "invalidFilter"},
		} {
			r := s.send(tc.q)
			schemas, _ := r.body["schemas"].([]any)
			if r.status != tc.status || r.text("scimType") != tc.kind || r.text("detail") == "" ||
				!slices.Equal(schemas, []any{"urn:ietf:params:scim:api:messages:2.0:Error"}) || r.header.Get("Content-Type") != "application/scim+json" {
				s.Errorf("%s %s %s: %d %s, want %d %s", tc.q.method, tc.q.path, tc.q.body, r.status, r.raw, tc.status, tc.kind)
			}
			if allow := r.header.Get("Allow"); (tc.status == 405) != strings.Contains(allow, "OPTIONS") {
				s.Errorf("%s %s: Allow %q", tc.q.method, tc.q.path, allow)
			}
		}
	})
}

func TestContentTypesThatClientsSend(t *testing.T) {
	each(t, func(s *service) {
		for i, kind := range []string{"application/scim+json", "application/json", "application/json;charset=UTF-8", "Application/SCIM+JSON; charset=utf-8", ""} {
			r := s.send(request{
				method: "POST", path: "/Users", body: `{"userName":"u` + string(rune('a'+i)) + `"}`, header: map[string]string{"Content-Type": kind, "Accept": "text/html"},
			})
			if r.status != http.StatusCreated || r.header.Get("Content-Type") != "application/scim+json" {
				s.Errorf("%q: %d %v", kind, r.status, r.header)
			}
		}
	})
}

func TestBodiesBeyondTheLimitAreRefused(t *testing.T) {
	eachWith(t, scimserver.Config{MaxBody: 2000}, func(s *service) {
		long := `{"userName":"u@x.com","title":"` + strings.Repeat("x", 3000) + `"}`
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write([]byte(long))
		_ = w.Close()
		for name, q := range map[string]request{
			"as it is": {body: long}, "packed": {body: packed.String(), header: map[string]string{"Content-Encoding": "gzip"}},
		} {
			q.method, q.path = "POST", "/Users"
			if r := s.send(q); r.status != http.StatusRequestEntityTooLarge || r.text("status") != "413" {
				s.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
		if rows := s.log(s.org); len(rows) != 2 || len(rows[0].RequestBody) == 0 {
			s.Errorf("logged %+v", rows)
		}
		s.must(http.StatusCreated, "POST", "/Users", entraUser)
	})
}

func TestIfMatch(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng")
		for _, path := range []string{"/Users/" + ada, "/Groups/" + g} {
			version := 1
			for _, tc := range []struct {
				header string
				ok     bool
			}{
				{`W/"7"`, false}, {`"nonsense"`, false}, {`W/"current"`, true}, {`"current"`, true}, {`W/"7", W/"current"`, true}, {`W/"7", "8"`, false}, {`*`, true},
			} {
				header := strings.ReplaceAll(tc.header, "current", string(rune('0'+version)))
				name := "n" + string(rune('0'+version))
				r := s.send(request{
					method: "PATCH", path: path, body: patch(`{"op":"replace","path":"displayName","value":"` + name + `"}`),
					header: map[string]string{"If-Match": header},
				})
				if ok := r.status < 300; ok != tc.ok || (!ok && r.status != http.StatusPreconditionFailed) {
					s.Errorf("%s If-Match %s at version %d: %d %s", path, header, version, r.status, r.raw)
				}
				if tc.ok {
					version++
				}
			}
			if r := s.send(request{method: "DELETE", path: path, header: map[string]string{"If-Match": `W/"1"`}}); r.status != http.StatusPreconditionFailed {
				s.Errorf("DELETE %s of an old version: %d", path, r.status)
			}
		}
	})
}

func TestHeadAndOptions(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng", ada)
		for _, path := range []string{"/Users", "/Users/" + ada, "/Groups", "/Groups/" + g, "/Schemas"} {
			r := s.must(http.StatusOK, "HEAD", path, "")
			if len(r.raw) != 0 || r.header.Get("Content-Type") != "application/scim+json" {
				s.Errorf("HEAD %s: %v %q", path, r.header, r.raw)
			}
		}
		if r := s.must(http.StatusNoContent, "OPTIONS", "/Users/"+ada, ""); r.header.Get("Allow") != "DELETE, GET, PATCH, PUT, OPTIONS, HEAD" {
			s.Errorf("Allow %q", r.header.Get("Allow"))
		}
	})
}

func TestAListOfGroupsHoldsFewerThanAskedForToStayWithinTheMemberBudget(t *testing.T) {
	eachWith(t, scimserver.Config{MaxPageMembers: 3}, func(s *service) {
		a, b := s.user("a@x.com"), s.user("b@x.com")
		want := []string{s.group("1", a, b), s.group("2", a), s.group("3", b), s.group("4"), s.group("5", a, b)}
		var got []string
		var sizes []int
		for len(got) < len(want) {
			r := s.must(http.StatusOK, "GET", "/Groups?count=100&startIndex="+string(rune('1'+len(got))), "")
			page := r.resources()
			if len(page) == 0 || r.body["totalResults"] != 5.0 || r.body["itemsPerPage"] != float64(len(page)) {
				s.Fatalf("page at %d: %s", len(got), r.raw)
			}
			got, sizes = append(got, page...), append(sizes, len(page))
		}
		if !slices.Equal(got, want) || !slices.Equal(sizes, []int{2, 3}) {
			s.Errorf("pages of %v gave %v, want %v", sizes, got, want)
		}
		if r := s.must(http.StatusOK, "GET", "/Groups?excludedAttributes=members", ""); len(r.resources()) != 5 {
			s.Errorf("without members: %s", r.raw)
		}
	})
}

func TestConcurrentCreatesOfOneUserNameGiveOne(t *testing.T) {
	each(t, func(s *service) {
		const n = 16
		status := make([]int, n)
		together(n, func(i int) { status[i] = s.do("POST", "/Users", `{"userName":"Ada@x.com"}`).status })
		slices.Sort(status)
		if status[0] != http.StatusCreated || status[1] != http.StatusConflict || status[n-1] != http.StatusConflict {
			s.Errorf("got %v, want one 201 and the rest 409", status)
		}
	})
}

func TestConcurrentMemberPatchesLoseNothing(t *testing.T) {
	each(t, func(s *service) {
		const n = 16
		g := s.group("Eng")
		ids := make([]string, n)
		for i := range ids {
			ids[i] = s.user(string(rune('a'+i)) + "@x.com")
		}
		add := func(i int) int {
			return s.do("PATCH", "/Groups/"+g, patch(`{"op":"add","path":"members","value":[{"value":"`+ids[i]+`"}]}`)).status
		}
		status := make([]int, n)
		together(n, func(i int) { status[i] = add(i) })
		if got := s.members(g); len(got) != n {
			s.Errorf("%d members after %d additions (%v)", len(got), n, status)
		}
		together(n, func(i int) {
			status[i] = s.do("PATCH", "/Groups/"+g, patch(`{"op":"remove","path":"members[value eq \"`+ids[i]+`\"]"}`)).status
		})
		if got := s.members(g); len(got) != 0 || slices.ContainsFunc(status, func(c int) bool { return c != http.StatusNoContent }) {
			s.Errorf("%v are left (%v)", got, status)
		}
	})
}

func together(n int, do func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}
