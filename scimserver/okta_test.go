package scimserver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const oktaUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bob@x.com","name":{"givenName":"Bob","familyName":"Ross"},
	"emails":[{"primary":true,"value":"bob@x.com","type":"work"}],"displayName":"Bob Ross","locale":"en-US","externalId":"00u1",
	"groups":[],"password":"hunter2","active":true}`

func TestOktaConnectorTestGetsNumbersAndAList(t *testing.T) {
	each(t, func(s *service) {
		for range 3 {
			s.user(strings.Repeat("u", 1+len(s.must(http.StatusOK, "GET", "/Users", "").resources())) + "@x.com")
		}
		for path, want := range map[string]struct{ total, items int }{
			"/Users?startIndex=1&count=2": {3, 2}, "/Users?count=100&startIndex=1": {3, 3}, "/Users?startIndex=3&count=2": {3, 1},
			"/Users?startIndex=9&count=2": {3, 0}, "/Users?count=0": {3, 0}, "/Groups?count=100&startIndex=1": {0, 0},
			"/Users?startIndex=0&count=-1": {3, 0},
		} {
			r := s.must(http.StatusOK, "GET", path, "")
			if r.body["totalResults"] != float64(want.total) || r.body["itemsPerPage"] != float64(want.items) || len(r.resources()) != want.items {
				s.Errorf("%s: %s, want %+v", path, r.raw, want)
			}
			if _, ok := r.body["startIndex"].(float64); !ok {
				s.Errorf("%s: no numeric startIndex in %s", path, r.raw)
			}
		}
	})
}

func TestOktaImportPagesThroughEverybodyOnce(t *testing.T) {
	each(t, func(s *service) {
		want := []string{}
		for i := range 7 {
			want = append(want, s.user(string(rune('a'+i))+"@x.com"))
		}
		got := append(append(s.must(http.StatusOK, "GET", "/Users?startIndex=1&count=3", "").resources(),
			s.must(http.StatusOK, "GET", "/Users?startIndex=4&count=3", "").resources()...),
			s.must(http.StatusOK, "GET", "/Users?startIndex=7&count=3", "").resources()...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			s.Errorf("pages gave %v, want %v", got, want)
		}
	})
}

func TestOktaCreatesUpdatesByPutAndDeactivates(t *testing.T) {
	each(t, func(s *service) {
		made := s.must(http.StatusCreated, "POST", "/Users", oktaUser)
		id := made.id()
		if strings.Contains(string(made.raw), "hunter2") || made.body["password"] != nil {
			s.Errorf("the password came back: %s", made.raw)
		}
		again := s.must(http.StatusConflict, "POST", "/Users", strings.ReplaceAll(oktaUser, "bob@x.com", "BOB@x.com"))
		if again.text("scimType") != "uniqueness" || again.text("status") != "409" || !strings.Contains(again.text("detail"), "BOB@x.com") {
			s.Errorf("a second one: %s", again.raw)
		}
		s.must(http.StatusOK, "PATCH", "/Users/"+id, `{"Operations":[{"op":"replace","value":{"active":false}}]}`)
		put := s.must(http.StatusOK, "PUT", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"`+id+`",
			"userName":"bob@x.com","name":{"givenName":"Robert"},"externalId":"00u1","password":"hunter3","groups":[{"value":"g"}],
			"emails":[{"primary":true,"value":"bob@x.com","type":"work"}],"meta":{"resourceType":"User"}}`)
		for path, want := range map[string]any{
			"name/givenName": "Robert", "name/familyName": nil, "displayName": nil, "locale": nil, "active": false, "externalId": "00u1", "groups": nil,
		} {
			if got := put.at(path); got != want {
				s.Errorf("after PUT: %s is %v, want %v", path, got, want)
			}
		}
		if r := s.must(http.StatusOK, "PUT", "/Users/"+id, `{"userName":"bob@x.com","active":true}`); r.body["active"] != true {
			s.Errorf("PUT with active true: %s", r.raw)
		}
		if r := s.must(http.StatusBadRequest, "PUT", "/Users/"+id, `{"displayName":"nobody"}`); r.text("scimType") != "invalidValue" {
			s.Errorf("PUT without userName: %s", r.raw)
		}
		s.must(http.StatusNotFound, "PUT", "/Users/0191a1b2-0000-7000-8000-000000000000", `{"userName":"x@x.com"}`)
	})
}

func TestAPutOfTheSameChangesNoVersion(t *testing.T) {
	each(t, func(s *service) {
		made := s.must(http.StatusCreated, "POST", "/Users", entraUser)
		if r := s.must(http.StatusOK, "PUT", "/Users/"+made.id(), string(made.raw)); r.at("meta/version") != `W/"1"` {
			s.Errorf("PUT of what was read: %s", r.raw)
		}
	})
}

func TestOktaGroupPushShapes(t *testing.T) {
	each(t, func(s *service) {
		ada, bob := s.user("ada@x.com"), s.user("bob@x.com")
		made := s.must(http.StatusCreated, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng",
			"members":[{"value":"`+ada+`","display":"ada@x.com"}]}`)
		g := made.id()
		if made.at("members/0/value") != ada || made.at("members/0/type") != "User" || made.at("members/0/display") != "ada@x.com" ||
			!strings.HasSuffix(made.at("members/0/$ref").(string), "/Users/"+ada) {
			s.Errorf("created: %s", made.raw)
		}
		found := s.must(http.StatusOK, "GET", "/Groups"+where(`displayName eq "Eng"`)+"&startIndex=1&count=100", "")
		if !slices.Equal(found.resources(), []string{g}) || found.at("Resources/0/members/0/value") != ada {
			s.Errorf("found: %s", found.raw)
		}
		for _, step := range []struct {
			operations string
			want       []string
		}{
			{`{"op":"replace","value":{"id":"` + g + `","displayName":"New"}}`, []string{"ada@x.com"}},
			{`{"op":"replace","path":"members","value":[{"value":"` + bob + `","display":"bob@x.com"}]}`, []string{"bob@x.com"}},
			{`{"op":"add","path":"members","value":[{"value":"` + ada + `"}]}`, []string{"ada@x.com", "bob@x.com"}},
			{`{"op":"remove","path":"members[value eq \"` + bob + `\"]"}`, []string{"ada@x.com"}},
			{`{"op":"remove","path":"members","value":[{"value":"` + ada + `"}]}`, []string{}},
			{`{"op":"replace","path":"members","value":[]}`, []string{}},
		} {
			s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, patch(step.operations))
			if got := s.members(g); !slices.Equal(got, step.want) {
				s.Errorf("after %s: %v, want %v", step.operations, got, step.want)
			}
		}
		put := s.must(http.StatusOK, "PUT", "/Groups/"+g, `{"displayName":"Again","members":[{"value":"`+bob+`"}]}`)
		if put.text("displayName") != "Again" || put.at("members/0/value") != bob || put.at("members/1") != nil {
			s.Errorf("PUT: %s", put.raw)
		}
		s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, patch(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`))
		if rows := s.log(s.org); !strings.Contains(rows[len(rows)-1].Detail, "nobody") || !slices.Equal(s.members(g), []string{"bob@x.com"}) {
			s.Errorf("an unknown member is logged as %q", rows[len(rows)-1].Detail)
		}
	})
}
