package scimserver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const (
	enterprise  = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchSchema = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`
	entraUser   = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + enterprise + `"],"externalId":"ada","userName":"Ada@X.com",
		"active":true,"displayName":"Ada","emails":[{"primary":true,"type":"work","value":"ada@x.com"}],
		"meta":{"resourceType":"User"},"name":{"formatted":"Ada Byron","familyName":"Byron","givenName":"Ada"},"roles":[]}`
)

func patch(operations string) string { return `{` + patchSchema + `"Operations":[` + operations + `]}` }

func TestEntraTestConnectionGetsAnEmptyList(t *testing.T) {
	each(t, func(s *service) {
		for _, path := range []string{
			"/Users" + where(`userName eq "0b2a4ef6-6b6d-4d7f-9d0e-000000000000"`),
			"//Users" + where(`userName eq "0b2a4ef6-6b6d-4d7f-9d0e-000000000000"`),
			"/Users/" + where(`userName eq "nobody"`),
			"/Groups?excludedAttributes=members&filter=" + strings.TrimPrefix(where(`displayName eq "nobody"`), "?filter="),
		} {
			r := s.must(http.StatusOK, "GET", path, "")
			list, ok := r.body["Resources"].([]any)
			if !ok || len(list) != 0 || r.body["totalResults"] != 0.0 {
				s.Errorf("%s: %s, want an empty list with totalResults 0", path, r.raw)
			}
			if got := r.header.Get("Content-Type"); got != "application/scim+json" {
				s.Errorf("%s: Content-Type %q", path, got)
			}
		}
	})
}

func TestBothBasesWithAndWithoutSlashesServeWithoutRedirect(t *testing.T) {
	each(t, func(s *service) {
		for i, base := range []string{"/service/v1/scim/v2", "/scim/v2", "/scim/v2/", "//service/v1//scim/v2/"} {
			name := string(rune('a'+i)) + "@x.com"
			r := s.send(request{method: "POST", base: base, path: "/Users", body: `{"userName":"` + name + `"}`})
			if r.status != http.StatusCreated {
				s.Errorf("POST %s/Users: %d %s", base, r.status, r.raw)
				continue
			}
			location := r.header.Get("Location")
			if location != r.at("meta/location") || !strings.HasPrefix(location, s.root+"/") || !strings.HasSuffix(location, "scim/v2/Users/"+r.id()) {
				s.Errorf("Location %q, meta.location %v", location, r.at("meta/location"))
			}
			if got := s.must(http.StatusOK, "GET", "/Users/"+r.id()+"/", ""); got.text("userName") != name {
				s.Errorf("read back %s", got.raw)
			}
		}
		if r, err := http.Get(s.root + "/elsewhere"); err != nil || r.StatusCode != http.StatusTeapot {
			s.Errorf("a path that isn't SCIM's: %v %v, want the next handler", r, err)
		}
	})
}

func TestEntraCreatesMatchesAndUpdatesAUser(t *testing.T) {
	each(t, func(s *service) {
		made := s.must(http.StatusCreated, "POST", "/Users", entraUser)
		id := made.id()
		for path, want := range map[string]any{
			"userName": "Ada@X.com", "externalId": "ada", "active": true, "name/givenName": "Ada", "emails/0/value": "ada@x.com",
			"emails/0/primary": true, "meta/resourceType": "User", "meta/version": `W/"1"`,
		} {
			if got := made.at(path); got != want {
				s.Errorf("created: %s is %v, want %v", path, got, want)
			}
		}
		if made.header.Get("ETag") != `W/"1"` || made.body["roles"] != nil {
			s.Errorf("created: %v %s", made.header, made.raw)
		}
		for _, filter := range []string{
			`userName eq "ada@x.COM"`, `externalId eq "ada"`, `emails[type eq "work"].value eq "ADA@x.com"`,
			`emails[type eq "work" and value eq "ada@x.com"]`, `emails eq "ada@x.com"`, `emails.value eq "ada@x.com"`, `id eq "` + id + `"`,
			`displayName eq "ada"`, `name.familyName eq "Byron" and active eq true`, `UserName EQ "ada@x.com"`,
			`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada@x.com"`, `meta.created gt "2011-05-13T04:42:34Z"`,
			`not (active eq false)`, `userName sw "ada" or userName sw "bob"`,
		} {
			if got := s.must(http.StatusOK, "GET", "/Users"+where(filter), "").resources(); !slices.Equal(got, []string{id}) {
				s.Errorf("%s found %v, want %s", filter, got, id)
			}
		}
		for _, filter := range []string{`externalId eq "ADA"`, `emails[type eq "work"].value eq "bob@x.com"`, `active eq false`, `displayName eq "Ada@X.com"`} {
			if got := s.must(http.StatusOK, "GET", "/Users"+where(filter), "").resources(); len(got) != 0 {
				s.Errorf("%s found %v, want nobody", filter, got)
			}
		}
	})
}

// The odd shapes of a user's PATCH, each on a user of its own.
func TestEntraPatchShapes(t *testing.T) {
	dept := enterprise + "/department"
	cases := map[string]struct {
		operations string
		want       map[string]any
	}{
		"capital op with a path":             {`{"op":"Replace","path":"displayName","value":"New"}`, map[string]any{"displayName": "New"}},
		"several operations":                 {`{"op":"Replace","path":"userName","value":"b@x.com"},{"op":"Add","path":"name.familyName","value":"King"}`, map[string]any{"userName": "b@x.com", "name/familyName": "King"}},
		"a filtered value that exists":       {`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"new@x.com"}`, map[string]any{"emails/0/value": "new@x.com", "emails/1": nil}},
		"a filtered value that doesn't":      {`{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"+43"}`, map[string]any{"phoneNumbers/0/value": "+43", "phoneNumbers/0/type": "mobile"}},
		"replace of one that doesn't":        {`{"op":"Replace","path":"addresses[type eq \"work\"].streetAddress","value":"Ring 1"}`, map[string]any{"addresses/0/streetAddress": "Ring 1"}},
		"an extension's attribute":           {`{"op":"Add","path":"` + enterprise + `:department","value":"Sales"}`, map[string]any{dept: "Sales"}},
		"a manager as text":                  {`{"op":"Add","path":"` + enterprise + `:manager","value":"m1"}`, map[string]any{enterprise + "/manager/value": "m1"}},
		"a manager as an object":             {`{"op":"add","path":"` + enterprise + `:manager","value":{"value":"m1"}}`, map[string]any{enterprise + "/manager/value": "m1"}},
		"a list with one object":             {`{"op":"Replace","path":"displayName","value":[{"$ref":null,"value":"New"}]}`, map[string]any{"displayName": "New"}},
		"off, as text":                       {`{"op":"Replace","path":"active","value":"False"}`, map[string]any{"active": false}},
		"off, as a boolean":                  {`{"op":"replace","path":"active","value":false}`, map[string]any{"active": false}},
		"off, without a path":                {`{"op":"replace","value":{"active":false}}`, map[string]any{"active": false}},
		"on again and again":                 {`{"op":"Replace","path":"active","value":"True"}`, map[string]any{"active": true, "meta/version": `W/"1"`}},
		"dotted and URN keys without a path": {`{"op":"Add","value":{"name.givenName":"A","` + enterprise + `:department":"X","emails[type eq \"work\"].value":"a@x"}}`, map[string]any{"name/givenName": "A", dept: "X", "emails/0/value": "a@x"}},
		"null clears":                        {`{"op":"Replace","path":"displayName","value":null}`, map[string]any{"displayName": nil}},
		"unknown attributes":                 {`{"op":"Add","path":"favouriteColour","value":"red"}`, map[string]any{"meta/version": `W/"1"`}},
	}
	each(t, func(s *service) {
		for name, tc := range cases {
			id := s.must(http.StatusCreated, "POST", "/Users", entraUser).id()
			r := s.must(http.StatusOK, "PATCH", "/Users/"+id, patch(tc.operations))
			read := s.must(http.StatusOK, "GET", "/Users/"+id, "")
			for path, want := range tc.want {
				if r.at(path) != want || read.at(path) != want {
					s.Errorf("%s: %s is %v in the answer and %v when read, want %v", name, path, r.at(path), read.at(path), want)
				}
			}
			if r.header.Get("ETag") != read.header.Get("ETag") || r.header.Get("ETag") != r.at("meta/version") {
				s.Errorf("%s: ETag %q, read %q, meta.version %v", name, r.header.Get("ETag"), read.header.Get("ETag"), r.at("meta/version"))
			}
			s.must(http.StatusOK, "PUT", "/Users/"+id, `{"userName":"`+id+`"}`) // the next one may have the names
		}
	})
}

func TestAFilterFindsNobodyByWhatIsOnlyShownForThem(t *testing.T) {
	each(t, func(s *service) {
		s.must(http.StatusCreated, "POST", "/Users", `{"userName":"ada@x.com","emails":[{"type":"home","value":"home@x.com"}]}`)
		bob := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"bob@x.com","displayName":"Bob","emails":[{"type":"work","value":"bob@x.com"}]}`).id()
		for filter, want := range map[string]int{
			`displayName eq "ada@x.com"`: 0, `displayName pr`: 1, `emails[type eq "work"].value eq "home@x.com"`: 0,
			`emails.value eq "home@x.com"`: 1, `externalId sw "X"`: 0, `displayName sw "b" and emails eq "bob@x.com"`: 1, `userName pr`: 2,
		} {
			r := s.must(http.StatusOK, "GET", "/Users"+where(filter), "")
			if len(r.resources()) != want || r.body["totalResults"] != float64(want) {
				s.Errorf("%s: %s, want %d", filter, r.raw, want)
			}
		}
		if r := s.must(http.StatusOK, "GET", "/Users"+where(`displayName eq "bob"`)+"&startIndex=2&count=5", ""); len(r.resources()) != 0 || r.body["totalResults"] != 1.0 {
			s.Errorf("beyond the end: %s", r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Users?filter=userName+eq+%22bob;x%22+or+id+eq+%22"+bob+"%22", ""); r.status != http.StatusOK {
			s.Errorf("a bare semicolon: %s", r.raw)
		}
	})
}

func TestADisabledUserIsReadableInactiveAndComesBackWithTeams(t *testing.T) {
	each(t, func(s *service) {
		ada, bob := s.user("ada@x.com"), s.user("bob@x.com")
		g := s.group("Eng", ada, bob)
		off := s.must(http.StatusOK, "PATCH", "/Users/"+ada, patch(`{"op":"Replace","path":"active","value":"False"}`))
		if off.body["active"] != false || off.body["groups"] != nil {
			s.Errorf("disabled: %s", off.raw)
		}
		if got := s.members(g); !slices.Equal(got, []string{"bob@x.com"}) {
			s.Errorf("members while disabled: %v", got)
		}
		found := s.must(http.StatusOK, "GET", "/Users"+where(`userName eq "ada@x.com"`), "")
		if found.at("Resources/0/active") != false {
			s.Errorf("disabled, found as %s", found.raw)
		}
		on := s.must(http.StatusOK, "PATCH", "/Users/"+ada, patch(`{"op":"Replace","path":"active","value":"True"}`))
		if on.body["active"] != true || on.at("groups/0/value") != g || on.at("groups/0/display") != "Eng" {
			s.Errorf("enabled: %s", on.raw)
		}
		if got := s.members(g); !slices.Equal(got, []string{"ada@x.com", "bob@x.com"}) {
			s.Errorf("members once enabled: %v", got)
		}
		if r := s.must(http.StatusOK, "GET", "/Users?excludedAttributes=groups", ""); r.at("Resources/0/groups") != nil {
			s.Errorf("excluded groups came: %s", r.raw)
		}
	})
}

func TestEntraGroupShapes(t *testing.T) {
	each(t, func(s *service) {
		ada, bob, eve := s.user("ada@x.com"), s.user("bob@x.com"), s.user("eve@x.com")
		made := s.must(http.StatusCreated, "POST", "/Groups",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Eng","externalId":"o1","members":[],"meta":{"resourceType":"Group"}}`)
		g := made.id()
		if members, ok := made.body["members"].([]any); !ok || len(members) != 0 || made.header.Get("Location") != made.at("meta/location") {
			s.Errorf("created: %s", made.raw)
		}
		step := func(operations string, want ...string) {
			s.Helper()
			r := s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, patch(operations))
			if len(r.raw) != 0 || r.header.Get("ETag") == "" {
				s.Errorf("%s: a body %q or no ETag", operations, r.raw)
			}
			if got := s.members(g); !slices.Equal(got, want) && len(got)+len(want) > 0 {
				s.Errorf("after %s: %v, want %v", operations, got, want)
			}
		}
		step(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+ada+`"},{"$ref":null,"value":"`+bob+`"}]}`, "ada@x.com", "bob@x.com")
		step(`{"op":"Add","path":"members","value":[{"value":"`+eve+`"}]}`, "ada@x.com", "bob@x.com", "eve@x.com")
		step(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"`+bob+`"}]}`, "ada@x.com", "eve@x.com")
		step(`{"op":"remove","path":"members[value eq \"`+eve+`\"]"}`, "ada@x.com")
		step(`{"op":"Remove","path":"members","value":[]}`, "ada@x.com")
		step(`{"op":"Replace","path":"displayName","value":"Engineering"}`, "ada@x.com")
		step(`{"op":"Replace","value":{"id":"`+g+`","displayName":"R&D"}}`, "ada@x.com")
		if r := s.must(http.StatusOK, "GET", "/Groups/"+g+"?excludedAttributes=members", ""); r.text("displayName") != "R&D" || r.body["members"] != nil {
			s.Errorf("read without members: %s", r.raw)
		}
		for filter, want := range map[string]int{
			`id eq "` + g + `" and members eq "` + ada + `"`: 1, `id eq "` + g + `" and members eq "` + bob + `"`: 0,
			`members[value eq "` + ada + `"]`: 1, `displayName eq "r&d"`: 1, `externalId eq "o1"`: 1, `externalId eq "O1"`: 0, `members.value eq "` + eve + `"`: 0,
		} {
			r := s.must(http.StatusOK, "GET", "/Groups"+where(filter)+"&attributes=id", "")
			if got := r.resources(); len(got) != want || r.body["totalResults"] != float64(want) {
				s.Errorf("%s: %s, want %d", filter, r.raw, want)
			}
			if r.at("Resources/0/displayName") != nil || r.at("Resources/0/members") != nil {
				s.Errorf("attributes=id gave %s", r.raw)
			}
		}
		s.must(http.StatusNoContent, "DELETE", "/Groups/"+g, "")
		s.must(http.StatusNotFound, "GET", "/Groups/"+g, "")
	})
}

func TestAGroupPatchAnswersWithWhatIsAskedFor(t *testing.T) {
	each(t, func(s *service) {
		ada := s.user("ada@x.com")
		g := s.group("Eng")
		add := patch(`{"op":"add","path":"members","value":[{"value":"` + ada + `"}]}`)
		r := s.must(http.StatusOK, "PATCH", "/Groups/"+g+"?attributes=displayName,members.value", add)
		if r.text("displayName") != "Eng" || r.at("members/0/value") != ada || r.at("members/0/display") != nil || r.body["meta"] != nil {
			s.Errorf("got %s", r.raw)
		}
	})
}
