package scimserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestAMemberNotKnownYetIsInTheGroupOnceTheyAreCreated(t *testing.T) {
	each(t, func(s *service) {
		made := s.must(http.StatusCreated, "POST", "/Groups", `{"displayName":"Eng","members":[{"value":"o-ada"},{"value":"o-bob"}]}`)
		g := made.id()
		if members, ok := made.body["members"].([]any); !ok || len(members) != 0 {
			s.Errorf("created: %s", made.raw)
		}
		rows := s.log(s.org)
		if want := "2 of the members named are not known here, remembered until they come: o-ada, o-bob"; rows[0].Detail != want {
			s.Errorf("logged %q, want %q", rows[0].Detail, want)
		}
		ada := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"ada@x.com","externalId":"o-ada"}`)
		if ada.at("groups/0/value") != g || ada.at("groups/0/display") != "Eng" || ada.at("groups/1") != nil {
			s.Errorf("created: %s", ada.raw)
		}
		if got := s.members(g); !slices.Equal(got, []string{"ada@x.com"}) {
			s.Errorf("members %v", got)
		}
		bob := s.user("bob@x.com")
		r := s.must(http.StatusOK, "PATCH", "/Users/"+bob, patch(`{"op":"add","path":"externalId","value":"o-bob"}`))
		if r.at("groups/0/value") != g || r.header.Get("ETag") != s.must(http.StatusOK, "GET", "/Users/"+bob, "").header.Get("ETag") {
			s.Errorf("patched: %s", r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Groups/"+g, ""); r.at("meta/version") != `W/"3"` || r.at("members/1/value") != bob {
			s.Errorf("the group: %s", r.raw)
		}
		s.must(http.StatusOK, "PUT", "/Groups/"+g, `{"displayName":"Eng","members":[{"value":"`+bob+`"}]}`)
		if got := s.members(g); !slices.Equal(got, []string{"bob@x.com"}) {
			s.Errorf("members %v", got)
		}
	})
}

func TestGroupsWithinGroupsAreMembersOfTypeGroup(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		inner := s.group("Inner", ada)
		made := s.must(http.StatusCreated, "POST", "/Groups",
			`{"displayName":"Outer","members":[{"value":"`+inner+`","type":"Group"},{"value":"`+ada+`"}]}`)
		g := made.id()
		read := s.must(http.StatusOK, "GET", "/Groups/"+g, "")
		for _, r := range []reply{made, read} {
			if r.at("members/0/value") != ada || r.at("members/0/type") != "User" || r.at("members/1/value") != inner || r.at("members/1/type") != "Group" ||
				r.at("members/1/display") != "Inner" || r.at("members/1/$ref") != s.root+"/service/v1/scim/v2/Groups/"+inner {
				s.Errorf("got %s", r.raw)
			}
		}
		if r := s.must(http.StatusOK, "GET", "/Groups"+where(`id eq "`+g+`"`), ""); r.at("Resources/0/members/1/type") != "Group" {
			s.Errorf("listed: %s", r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Users/"+ada, ""); r.at("groups/1/value") != g || r.at("groups/2") != nil {
			s.Errorf("the member's groups: %s", r.raw)
		}
		put := s.must(http.StatusOK, "PUT", "/Groups/"+g, `{"displayName":"Outer","members":[{"value":"`+inner+`"}]}`)
		if put.at("members/0/value") != inner || put.at("members/1") != nil {
			s.Errorf("PUT: %s", put.raw)
		}
		if r := s.must(http.StatusBadRequest, "PUT", "/Groups/"+g, `{"displayName":"Outer","members":[{"value":"`+g+`"}]}`); r.text("scimType") != "invalidValue" {
			s.Errorf("within itself: %s", r.raw)
		}
		s.must(http.StatusNoContent, "DELETE", "/Groups/"+inner, "")
		if got := s.members(g); len(got) != 0 {
			s.Errorf("members after its end: %v", got)
		}
	})
}

func TestSomebodyWhoComesBackIsAnsweredWithTheirGroups(t *testing.T) {
	each(t, func(s *service) {
		ada := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"ada@x.com","externalId":"1"}`).id()
		g := s.group("Eng", ada)
		s.must(http.StatusNoContent, "DELETE", "/Users/"+ada, "")
		r := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"ADA@x.com","externalId":"1"}`)
		if r.id() != ada || r.at("groups/0/value") != g || r.header.Get("ETag") != `W/"3"` || !strings.HasSuffix(r.header.Get("Location"), ada) {
			s.Errorf("came back as %v %s", r.header, r.raw)
		}
		if r := s.do("POST", "/Users?excludedAttributes=groups", `{"userName":"eve@x.com"}`); r.body["groups"] != nil {
			s.Errorf("groups that were excluded: %s", r.raw)
		}
	})
}

func TestADeletedMemberWhoIsNamedIsToldToTheOperator(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng")
		s.must(http.StatusNoContent, "DELETE", "/Users/"+ada, "")
		s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, patch(`{"op":"add","path":"members","value":[{"value":"`+ada+`"}]}`))
		rows := s.log(s.org)
		if got := rows[len(rows)-1].Detail; !strings.Contains(got, "deleted here") || !strings.Contains(got, ada) {
			s.Errorf("logged %q", got)
		}
	})
}

func TestWritesAnswerWithVersionAndLocation(t *testing.T) {
	each(t, func(s *service) {
		for path, body := range map[string]string{"/Users": `{"userName":"ada@x.com"}`, "/Groups": `{"displayName":"Eng"}`} {
			made := s.must(http.StatusCreated, "POST", path, body)
			at := s.root + "/service/v1/scim/v2" + path + "/" + made.id()
			check := func(method string, r reply, version string) {
				if r.header.Get("Location") != at || r.header.Get("ETag") != version || len(r.raw) > 0 && (r.at("meta/version") != version || r.at("meta/location") != at) {
					s.Errorf("%s %s: %v %s, want %s at %s", method, path, r.header, r.raw, version, at)
				}
			}
			check("POST", made, `W/"1"`)
			check("PUT", s.must(http.StatusOK, "PUT", path+"/"+made.id(), strings.Replace(body, "}", `,"externalId":"x"}`, 1)), `W/"2"`)
			r := s.do("PATCH", path+"/"+made.id(), patch(`{"op":"replace","path":"displayName","value":"N"}`))
			check("PATCH", r, `W/"3"`)
			if created := made.at("meta/created"); s.must(http.StatusOK, "GET", path+"/"+made.id(), "").at("meta/created") != created {
				s.Errorf("%s: created changed", path)
			}
		}
	})
}

func TestWhatAPutLeavesOutIsClearedAndWhatIsTheServersIsKept(t *testing.T) {
	each(t, func(s *service) {
		made := s.must(http.StatusCreated, "POST", "/Users", entraUser)
		s.must(http.StatusOK, "PATCH", "/Users/"+made.id(), patch(`{"op":"replace","path":"active","value":false}`))
		put := s.must(http.StatusOK, "PUT", "/Users/"+made.id(), `{"id":"other","userName":"ada@x.com","meta":{"created":"2001-01-01T00:00:00Z"},"groups":[{"value":"g"}],
			"password":"hunter2","emails":null,"name":"","urn:acme:2.0:User":{"x":1},"title":"T"}`)
		for path, want := range map[string]any{
			"id": made.id(), "active": false, "displayName": nil, "externalId": nil, "emails": nil, "name": nil, "title": "T", "groups": nil,
			"password": nil, "meta/created": made.at("meta/created"), "urn:acme:2.0:User": nil,
		} {
			if got := put.at(path); got != want {
				s.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		g := s.must(http.StatusCreated, "POST", "/Groups", `{"displayName":"Eng","externalId":"e","members":[{"value":"`+made.id()+`"}]}`).id()
		if r := s.must(http.StatusOK, "PUT", "/Groups/"+g, `{"displayName":"Eng"}`); r.body["externalId"] != nil || len(s.members(g)) != 0 {
			s.Errorf("PUT of a name only: %s", r.raw)
		}
	})
}

func TestAUserNameAndEmailMayChangeAndTheLinkStays(t *testing.T) {
	each(t, func(s *service) {
		c := s.newConnection(s.org, "entra")
		token, _ := s.newToken(s.org, "a", c)
		id := s.send(request{method: "POST", path: "/Users", body: entraUser, token: token}).id()
		s.commit(s.org, roster.LinkSet{Link: roster.Link{Connection: c, Type: roster.TypeMember, ObjectID: "o1", TargetID: id, State: roster.LinkOn}})
		r := s.send(request{method: "PATCH", path: "/Users/" + id, token: token, body: patch(
			`{"op":"replace","path":"userName","value":"eve@y.com"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"eve@y.com"}`)})
		if r.status != http.StatusOK || r.text("userName") != "eve@y.com" || r.at("emails/0/value") != "eve@y.com" {
			s.Fatalf("%d %s", r.status, r.raw)
		}
		links, err := s.db.LinksTo(s.Context(), s.org, roster.TypeMember, id)
		if err != nil || len(links) != 1 || links[0].ObjectID != "o1" {
			s.Errorf("links %+v, %v", links, err)
		}
		if r := s.do("POST", "/Users", `{"userName":"Ada@X.com"}`); r.status != http.StatusCreated {
			s.Errorf("the old userName is not free: %d %s", r.status, r.raw)
		}
		for method, body := range map[string]string{"PUT": `{"userName":"ADA@x.com"}`, "PATCH": patch(`{"op":"replace","path":"userName","value":"ADA@x.com"}`)} {
			if r := s.do(method, "/Users/"+id, body); r.status != http.StatusConflict || r.text("scimType") != "uniqueness" {
				s.Errorf("%s to a userName that is taken: %d %s", method, r.status, r.raw)
			}
		}
	})
}

// What no honest client sends is refused at once, whole, and changes nothing.
func TestHostileBodies(t *testing.T) {
	deep := func(open, end string) string { return strings.Repeat(open, 10_000) + "1" + strings.Repeat(end, 10_000) }
	many := make([]string, 600)
	for i := range many {
		many[i] = fmt.Sprintf(`{"value":"e%d"}`, i)
	}
	bodies := map[string]struct {
		body     string
		scimType string
	}{
		"lists 10,000 deep":           {`{"userName":"x","y":` + deep("[", "]") + `}`, "invalidSyntax"},
		"objects 10,000 deep":         {deep(`{"a":`, "}"), "invalidSyntax"},
		"lists that are never closed": {strings.Repeat("[", 1_000_000), "invalidSyntax"},
		"a name twice":                {`{"userName":"x","userName":"y"}`, "invalidSyntax"},
		"a NUL":                       {`{"userName":"x\u0000"}`, "invalidValue"},
		"a NUL as it is":              {"{\"userName\":\"x\x00\"}", "invalidSyntax"},
		"bytes that are no UTF-8":     {"{\"userName\":\"x\xff\"}", "invalidValue"},
		"half a surrogate pair":       {`{"userName":"\ud800"}`, "invalidValue"},
		"a number":                    {`42`, "invalidSyntax"},
		"a text":                      {`"x"`, "invalidSyntax"},
		"null":                        {`null`, "invalidSyntax"},
		"two documents":               {`{"userName":"x"}{"userName":"y"}`, "invalidSyntax"},
		"a comma too many":            {`{"userName":"x",}`, "invalidSyntax"},
		"NaN":                         {`{"userName":"x","active":NaN}`, "invalidSyntax"},
		"a userName of 2,000 letters": {`{"userName":"` + strings.Repeat("x", 2000) + `"}`, "invalidValue"},
		"a userName of blanks":        {`{"userName":" \t "}`, "invalidValue"},
		"an empty userName":           {`{"userName":""}`, "invalidValue"},
		"a userName that is a number": {`{"userName":7}`, "invalidValue"},
		"a userName that is a list":   {`{"userName":["x"]}`, "invalidValue"},
		"600 emails":                  {`{"userName":"x","emails":[` + strings.Join(many, ",") + `]}`, "invalidValue"},
		"an email that is an object":  {`{"userName":"x","emails":[{"value":{"a":1}}]}`, "invalidValue"},
		"emails that are a number":    {`{"userName":"x","emails":5}`, "invalidValue"},
		"a name that is a list":       {`{"userName":"x","name":[1,2]}`, "invalidValue"},
	}
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		for name, tc := range bodies {
			for _, q := range []request{{method: "POST", path: "/Users"}, {method: "PUT", path: "/Users/" + ada}} {
				q.body = tc.body
				began := time.Now()
				r := s.send(q)
				if r.status != http.StatusBadRequest || r.text("scimType") != tc.scimType {
					s.Errorf("%s by %s: %d %.300s, want %s", name, q.method, r.status, r.raw, tc.scimType)
				}
				if took := time.Since(began); took > 5*time.Second {
					s.Errorf("%s by %s took %v", name, q.method, took)
				}
			}
		}
		if r := s.must(http.StatusOK, "GET", "/Users", ""); r.body["totalResults"] != 1.0 || r.at("Resources/0/meta/version") != `W/"1"` {
			s.Errorf("afterwards: %s", r.raw)
		}
	})
}

func TestErrorsNameTheAttribute(t *testing.T) {
	each(t, func(s *service) {
		for body, name := range map[string]string{
			`{"userName":"x","active":"perhaps"}`:                               "active",
			`{"userName":"x","emails":[{"value":"a"},{"primary":"x"}]}`:         "emails.primary",
			`{"userName":"x","` + enterprise + `":{"manager":{"value":[1,2]}}}`: enterprise + ":manager.value",
			`{"displayName":"x"}`: "userName",
		} {
			if r := s.must(http.StatusBadRequest, "POST", "/Users", body); r.text("scimType") != "invalidValue" || !strings.Contains(r.text("detail"), name+" ") {
				s.Errorf("%s: %s, want %s named", body, r.raw, name)
			}
		}
	})
}

func TestIfMatchOnEveryWrite(t *testing.T) {
	each(t, func(s *service) {
		ada, g := s.user("ada@x.com"), s.group("Eng")
		for path, put := range map[string]string{"/Users/" + ada: `{"userName":"x"}`, "/Groups/" + g: `{"displayName":"x"}`} {
			for method, body := range map[string]string{"PUT": put, "PATCH": patch(`{"op":"replace","path":"displayName","value":"x"}`), "DELETE": ""} {
				r := s.send(request{method: method, path: path, body: body, header: map[string]string{"If-Match": `W/"2"`}})
				if r.status != http.StatusPreconditionFailed || r.text("status") != "412" {
					s.Errorf("%s %s of another version: %d %s", method, path, r.status, r.raw)
				}
			}
			for i, step := range []struct{ method, body string }{{"PUT", put}, {"PATCH", patch(`{"op":"replace","path":"displayName","value":"y"}`)}, {"DELETE", ""}} {
				r := s.send(request{method: step.method, path: path, body: step.body, header: map[string]string{"If-Match": fmt.Sprintf(`W/"%d"`, i+1)}})
				if r.status >= 300 {
					s.Errorf("%s %s of its version: %d %s", step.method, path, r.status, r.raw)
				}
			}
		}
	})
}

func TestIfNoneMatchRefusesAWriteToTheVersionItNames(t *testing.T) {
	each(t, func(s *service) {
		ada, g := s.user("ada@x.com"), s.group("Eng")
		for path, put := range map[string]string{"/Users/" + ada: `{"userName":"x"}`, "/Groups/" + g: `{"displayName":"x"}`} {
			steps := []struct{ method, body string }{{"PUT", put}, {"PATCH", patch(`{"op":"replace","path":"displayName","value":"y"}`)}, {"DELETE", ""}}
			for _, step := range steps {
				for _, header := range []map[string]string{
					{"If-None-Match": "*"}, {"If-None-Match": `W/"1"`}, {"If-None-Match": `"x", "1"`},
					{"If-None-Match": "*", "If-Match": "*"}, {"If-None-Match": "*", "If-Match": `W/"1"`},
				} {
					r := s.send(request{method: step.method, path: path, body: step.body, header: header})
					if r.status != http.StatusPreconditionFailed || r.text("status") != "412" {
						s.Errorf("%s %s %v: %d %s", step.method, path, header, r.status, r.raw)
					}
				}
			}
			for i, step := range steps {
				header := map[string]string{"If-None-Match": `W/"99"`, "If-Match": fmt.Sprintf(`W/"%d"`, i+1)}
				if r := s.send(request{method: step.method, path: path, body: step.body, header: header}); r.status >= 300 {
					s.Errorf("%s %s %v: %d %s", step.method, path, header, r.status, r.raw)
				}
			}
			if r := s.send(request{method: "DELETE", path: path, header: map[string]string{"If-None-Match": "*"}}); r.status != http.StatusNotFound {
				s.Errorf("DELETE %s, which is gone: %d %s", path, r.status, r.raw)
			}
		}
	})
}

// A PUT of everybody in a large group reads no member whole and writes what differs; the answer is streamed.
func TestAPutOfALargeGroup(t *testing.T) {
	each(t, func(s *service) {
		const n = 1_200 // more than the request log is given
		ids := s.many(n)
		put := func(ids []string) string {
			refs := make([]map[string]string, len(ids))
			for i := range ids {
				refs[i] = map[string]string{"value": ids[i]}
			}
			body, _ := json.Marshal(map[string]any{"displayName": "All", "members": refs})
			return string(body)
		}
		g := s.group("All")
		first := s.must(http.StatusOK, "PUT", "/Groups/"+g, put(ids[:n-1]))
		if list, _ := first.body["members"].([]any); len(list) != n-1 || first.at("meta/version") != `W/"2"` {
			s.Errorf("answered %d members at %v", len(list), first.at("meta/version"))
		}
		r := s.must(http.StatusOK, "PUT", "/Groups/"+g, put(ids[1:]))
		if list, _ := r.body["members"].([]any); len(list) != n-1 || r.at("meta/version") != `W/"3"` {
			s.Errorf("answered %d members at %v", len(list), r.at("meta/version"))
		}
		events := s.eventsByRequest()[r.header.Get("X-Request-Id")]
		if slices.Sort(events); !slices.Equal(events, []string{"membership.added", "membership.removed"}) {
			s.Errorf("told as %d events", len(events))
		}
		if r := s.must(http.StatusOK, "PUT", "/Groups/"+g, put(ids[1:])); r.at("meta/version") != `W/"3"` {
			s.Errorf("the same again: version %v", r.at("meta/version"))
		}
	})
}
