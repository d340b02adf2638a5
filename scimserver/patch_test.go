package scimserver_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// patchForm is one form of a PATCH: what it comes to, or how it fails, and what is told of it.
type patchForm struct {
	operations string
	want       map[string]any // by path; nil: nothing stands there
	fails      string         // scimType
	events     []string
}

const patchedUser = `{"userName":"NAME","externalId":"EXT","title":"T","displayName":"Ada","active":true,"name":{"givenName":"Ada","familyName":"L"},
	"emails":[{"type":"work","value":"w@x.com","primary":true},{"type":"home","value":"h@x.com"}],
	"roles":[{"value":"r1"},{"value":"r2"}],"` + enterprise + `":{"department":"D","manager":{"value":"M"}}}`

// eventsByRequest returns the types of an organisation's events by the request that caused them.
func (s *service) eventsByRequest() map[string][]string {
	s.Helper()
	storetest.Number(s.T, s.db, s.org)
	out := map[string][]string{}
	for after := ""; ; {
		events, next, err := s.db.Events(context.Background(), s.org, store.List{After: after})
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range events {
			out[e.RequestID] = append(out[e.RequestID], e.Type)
		}
		if after = next; next == "" {
			return out
		}
	}
}

// Every form of RFC 7644, section 3.5.2, and every deviation that is known of clients.
func TestUserPatchForms(t *testing.T) {
	updated := []string{"member.updated"}
	const dept, manager = enterprise + "/department", enterprise + "/manager/value"
	works := func(operations string, want map[string]any) patchForm {
		return patchForm{operations: operations, want: want, events: updated}
	}
	same := func(operations string) patchForm { return patchForm{operations: operations} }
	fails := func(scimType, operations string) patchForm { return patchForm{operations: operations, fails: scimType} }
	forms := map[string]patchForm{
		// 3.5.2.1, add
		"add without a path":                   works(`{"op":"add","value":{"nickName":"N","emails":[{"value":"n@x.com"}]}}`, map[string]any{"nickName": "N", "emails/2/value": "n@x.com", "emails/1/value": "h@x.com"}),
		"add an attribute that has no value":   works(`{"op":"add","path":"nickName","value":"N"}`, map[string]any{"nickName": "N"}),
		"add to a single value replaces it":    works(`{"op":"add","path":"title","value":"N"}`, map[string]any{"title": "N"}),
		"add to a complex one":                 works(`{"op":"add","path":"name","value":{"middleName":"M"}}`, map[string]any{"name/middleName": "M", "name/givenName": "Ada"}),
		"add to a multi-valued one":            works(`{"op":"add","path":"emails","value":[{"type":"other","value":"o@x.com"}]}`, map[string]any{"emails/2/value": "o@x.com"}),
		"add a value that is there":            same(`{"op":"add","path":"emails","value":[{"type":"home","value":"h@x.com"}]}`),
		"add the same single value":            same(`{"op":"add","path":"title","value":"T"}`),
		"add a sub-attribute":                  works(`{"op":"add","path":"name.middleName","value":"M"}`, map[string]any{"name/middleName": "M"}),
		"add to selected values":               works(`{"op":"add","path":"emails[type eq \"home\"].display","value":"H"}`, map[string]any{"emails/1/display": "H", "emails/0/display": nil}),
		"add a new primary":                    works(`{"op":"add","path":"emails","value":[{"value":"n@x.com","primary":true}]}`, map[string]any{"emails/0/primary": false, "emails/2/primary": true}),
		"add an extension":                     works(`{"op":"add","path":"`+enterprise+`","value":{"division":"V"}}`, map[string]any{enterprise + "/division": "V", dept: "D"}),
		"add a core attribute by its URN":      works(`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:name.middleName","value":"M"}`, map[string]any{"name/middleName": "M"}),
		"add without a value":                  fails("invalidValue", `{"op":"add","path":"title"}`),
		"add without path or object":           fails("invalidValue", `{"op":"add","value":"x"}`),
		"add to a value nobody has, by filter": fails("noTarget", `{"op":"add","path":"emails[value sw \"x\"].display","value":"x"}`),
		// 3.5.2.2, remove
		"remove a single value":              works(`{"op":"remove","path":"title"}`, map[string]any{"title": nil}),
		"remove a multi-valued one":          works(`{"op":"remove","path":"emails"}`, map[string]any{"emails": nil}),
		"remove selected values":             works(`{"op":"remove","path":"emails[type eq \"home\"]"}`, map[string]any{"emails/1": nil, "emails/0/value": "w@x.com"}),
		"remove the last values":             works(`{"op":"remove","path":"emails[value pr]"}`, map[string]any{"emails": nil}),
		"remove by an odd filter":            works(`{"op":"remove","path":"emails[type eq \"work\" and not (value ew \"y.com\")]"}`, map[string]any{"emails/0/type": "home"}),
		"remove a part of selected values":   works(`{"op":"remove","path":"emails[type eq \"work\"].primary"}`, map[string]any{"emails/0/primary": nil, "emails/0/value": "w@x.com"}),
		"remove a part of all values":        works(`{"op":"remove","path":"emails.type"}`, map[string]any{"emails/0/type": nil, "emails/1/type": nil}),
		"remove a sub-attribute":             works(`{"op":"remove","path":"name.familyName"}`, map[string]any{"name/familyName": nil, "name/givenName": "Ada"}),
		"remove a complex one":               works(`{"op":"remove","path":"name"}`, map[string]any{"name": nil}),
		"remove an extension":                works(`{"op":"remove","path":"`+enterprise+`"}`, map[string]any{enterprise: nil}),
		"remove an extension's attribute":    works(`{"op":"remove","path":"`+enterprise+`:department"}`, map[string]any{dept: nil, manager: "M"}),
		"remove what isn't there":            same(`{"op":"remove","path":"nickName"}`),
		"remove what no filter finds":        same(`{"op":"remove","path":"emails[type eq \"other\"]"}`),
		"remove without a path":              fails("noTarget", `{"op":"remove"}`),
		"remove without a path, by value":    fails("noTarget", `{"op":"remove","value":{"title":"T"}}`),
		"remove a required one":              fails("mutability", `{"op":"remove","path":"userName"}`),
		"remove a read-only one":             fails("mutability", `{"op":"remove","path":"id"}`),
		"remove a read-only one, by filter":  fails("mutability", `{"op":"remove","path":"groups[value eq \"x\"]"}`),
		"remove, filtering a single value":   fails("invalidPath", `{"op":"remove","path":"title[value eq \"T\"]"}`),
		"remove by a malformed filter":       fails("invalidFilter", `{"op":"remove","path":"emails[type]"}`),
		"remove by an unclosed filter":       fails("invalidPath", `{"op":"remove","path":"emails[type eq \"work\""}`),
		"remove everything a client may set": works(`{"op":"remove","path":"externalId"},{"op":"remove","path":"displayName"}`, map[string]any{"externalId": nil, "displayName": nil}),
		// 3.5.2.3, replace
		"replace without a path":            works(`{"op":"replace","value":{"title":"N","emails":[{"value":"n@x.com"}],"name":{"givenName":"B"}}}`, map[string]any{"title": "N", "emails/0/value": "n@x.com", "emails/1": nil, "name/givenName": "B", "name/familyName": "L"}),
		"replace a single value":            works(`{"op":"replace","path":"title","value":"N"}`, map[string]any{"title": "N"}),
		"replace what isn't there":          works(`{"op":"replace","path":"nickName","value":"N"}`, map[string]any{"nickName": "N"}),
		"replace a sub-attribute":           works(`{"op":"replace","path":"name.familyName","value":"B"}`, map[string]any{"name/familyName": "B"}),
		"replace parts of a complex one":    works(`{"op":"replace","path":"name","value":{"familyName":"B"}}`, map[string]any{"name/familyName": "B", "name/givenName": "Ada"}),
		"replace all values":                works(`{"op":"replace","path":"emails","value":[{"value":"n@x.com"}]}`, map[string]any{"emails/0/value": "n@x.com", "emails/1": nil}),
		"replace selected values":           works(`{"op":"replace","path":"emails[type eq \"home\"]","value":{"type":"home","value":"n@x.com"}}`, map[string]any{"emails/1/value": "n@x.com", "emails/0/value": "w@x.com"}),
		"replace a part of selected values": works(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"n@x.com"}`, map[string]any{"emails/0/value": "n@x.com", "emails/0/primary": true}),
		"replace a part of all values":      works(`{"op":"replace","path":"emails.display","value":"X"}`, map[string]any{"emails/0/display": "X", "emails/1/display": "X"}),
		"replace, and the flag moves":       works(`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, map[string]any{"emails/0/primary": false, "emails/1/primary": true}),
		"replace by an extension's URN":     works(`{"op":"replace","path":"`+enterprise+`","value":{"department":"X"}}`, map[string]any{dept: "X", manager: "M"}),
		"replace by the same":               same(`{"op":"replace","path":"name","value":{"familyName":"L"}}`),
		"replace by null":                   works(`{"op":"replace","path":"title","value":null}`, map[string]any{"title": nil}),
		"replace by nothing":                works(`{"op":"replace","path":"emails","value":[]}`, map[string]any{"emails": nil}),
		"replace what no filter finds":      fails("noTarget", `{"op":"replace","path":"emails[type eq \"other\"].value","value":"x@x.com"}`),
		"replace what no id finds":          fails("noTarget", `{"op":"replace","path":"emails[value eq \"x@x.com\"]","value":{"value":"y@x.com"}}`),
		"replace a read-only one":           fails("mutability", `{"op":"replace","path":"meta.created","value":"2011-05-13T04:42:34Z"}`),
		"replace a read-only part":          fails("mutability", `{"op":"replace","path":"`+enterprise+`:manager.displayName","value":"X"}`),
		"replace a required one by none":    fails("invalidValue", `{"op":"replace","path":"userName","value":""}`),
		"replace by another type":           fails("invalidValue", `{"op":"replace","path":"title","value":{"a":1}}`),
		"replace by a bad boolean":          fails("invalidValue", `{"op":"replace","path":"active","value":"perhaps"}`),
		"replace a malformed path":          fails("invalidPath", `{"op":"replace","path":"emails[type eq \"work\"]value","value":"x"}`),
		// the message
		"another operation":         fails("invalidSyntax", `{"op":"move","path":"title","value":"x"}`),
		"no operation":              fails("invalidSyntax", `{"path":"title","value":"x"}`),
		"an operation that is none": fails("invalidSyntax", `"add"`),
		"no operations":             fails("invalidSyntax", ``),
		"a path that is none":       fails("invalidPath", `{"op":"add","path":7,"value":"x"}`),
		"operations in order":       works(`{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"1"}]},{"op":"replace","path":"emails[value eq \"1\"].value","value":"2"}`, map[string]any{"emails/0/value": "2", "emails/1": nil}),
		"there and back":            same(`{"op":"replace","path":"title","value":"N"},{"op":"replace","path":"title","value":"T"}`),
		"all or none":               fails("mutability", `{"op":"replace","path":"title","value":"N"},{"op":"replace","path":"id","value":"x"}`),
		// what clients deviate in
		"capital operations":               works(`{"OP":"Replace","Path":"TITLE","VALUE":"N"}`, map[string]any{"title": "N"}),
		"a boolean in quotes":              {`{"op":"Replace","path":"active","value":"False"}`, map[string]any{"active": false}, "", []string{"member.deactivated"}},
		"active again":                     same(`{"op":"Replace","path":"active","value":"True"}`),
		"active without a path":            {`{"op":"replace","value":{"active":false}}`, map[string]any{"active": false}, "", []string{"member.deactivated"}},
		"Add makes a missing value":        works(`{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`, map[string]any{"phoneNumbers/0/type": "mobile", "phoneNumbers/0/value": "1"}),
		"Replace makes a missing value":    works(`{"op":"Replace","path":"addresses[type eq \"work\"].country","value":"AT"}`, map[string]any{"addresses/0/type": "work", "addresses/0/country": "AT"}),
		"a list with one object":           works(`{"op":"Replace","path":"title","value":[{"$ref":null,"value":"N"}]}`, map[string]any{"title": "N"}),
		"dotted, qualified, filtered keys": works(`{"op":"Add","value":{"name.givenName":"B","`+enterprise+`:department":"X","emails[type eq \"work\"].value":"n@x.com","phoneNumbers[type eq \"fax\"].value":"2"}}`, map[string]any{"name/givenName": "B", dept: "X", "emails/0/value": "n@x.com", "phoneNumbers/0/type": "fax"}),
		"an id in the value":               works(`{"op":"replace","value":{"id":"x","title":"N","meta":{"version":"1"},"groups":[]}}`, map[string]any{"title": "N"}),
		"a manager as text":                works(`{"op":"Replace","path":"`+enterprise+`:manager","value":"N"}`, map[string]any{manager: "N"}),
		"a manager as a list":              works(`{"op":"Add","path":"`+enterprise+`:manager","value":[{"$ref":null,"value":"N"}]}`, map[string]any{manager: "N"}),
		"Remove with values":               works(`{"op":"Remove","path":"roles","value":[{"$ref":null,"value":"r1"}]}`, map[string]any{"roles/0/value": "r2", "roles/1": nil}),
		"Remove with no values":            same(`{"op":"Remove","path":"roles","value":[]}`),
		"a blank clears":                   works(`{"op":"Replace","path":"title","value":""}`, map[string]any{"title": nil}),
		"an unknown attribute":             same(`{"op":"add","path":"shoeSize","value":"42"}`),
		"an unknown extension":             same(`{"op":"add","path":"urn:acme:2.0:User:x","value":"y"}`),
		"an unknown part":                  same(`{"op":"replace","path":"name.nick","value":"y"}`),
		"unknown keys":                     same(`{"op":"replace","value":{"shoeSize":42,"a b":1,"urn:acme:2.0:User":{"x":1}}}`),
		"a password":                       same(`{"op":"replace","path":"password","value":"hunter2"}`),
		"schemas":                          same(`{"op":"add","path":"schemas","value":["urn:acme:2.0:User"]}`),
		"a new userName":                   works(`{"op":"Replace","path":"userName","value":"new-NAME"}`, map[string]any{"emails/0/value": "w@x.com"}),
	}
	each(t, func(s *service) {
		requests := map[string]string{}
		for i, name := range slices.Sorted(maps.Keys(forms)) {
			form := forms[name]
			userName := "u" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "@x.com"
			made := s.must(http.StatusCreated, "POST", "/Users", strings.NewReplacer("NAME", userName, "EXT", userName).Replace(patchedUser))
			before := s.must(http.StatusOK, "GET", "/Users/"+made.id(), "")
			r := s.do("PATCH", "/Users/"+made.id(), patch(form.operations))
			after := s.must(http.StatusOK, "GET", "/Users/"+made.id(), "")
			requests[name] = r.header.Get("X-Request-Id")
			if form.fails != "" {
				if r.status != http.StatusBadRequest || r.text("scimType") != form.fails || string(after.raw) != string(before.raw) {
					s.Errorf("%s: %d %s, want %s; it is %s", name, r.status, r.raw, form.fails, after.raw)
				}
				continue
			}
			if r.status != http.StatusOK || string(r.raw) != string(after.raw) {
				s.Errorf("%s: %d %s, read back as %s", name, r.status, r.raw, after.raw)
			}
			if (string(before.raw) == string(after.raw)) != (form.events == nil) {
				s.Errorf("%s: it was %s and is %s", name, before.raw, after.raw)
			}
			for path, want := range form.want {
				if got := after.at(path); got != want {
					s.Errorf("%s: %s is %v, want %v", name, path, got, want)
				}
			}
		}
		events := s.eventsByRequest()
		for name, id := range requests {
			if got := events[id]; !slices.Equal(got, forms[name].events) {
				s.Errorf("%s: told as %v, want %v", name, got, forms[name].events)
			}
		}
	})
}

// The forms that concern a group, each on a group of its own with ada and the group Inner as members.
func TestGroupPatchForms(t *testing.T) {
	added, removed := []string{"membership.added"}, []string{"membership.removed"}
	forms := map[string]struct {
		operations string
		members    []string // displays, in order; nil: as before
		name       string   // "": as before
		fails      string
		events     []string
	}{
		"add one":                       {operations: `{"op":"add","path":"members","value":[{"value":"BOB"}]}`, members: []string{"ada", "bob", "Inner"}, events: added},
		"add one, as an object":         {operations: `{"op":"add","path":"members","value":{"value":"BOB","type":"User"}}`, members: []string{"ada", "bob", "Inner"}, events: added},
		"add one without a path":        {operations: `{"op":"Add","value":{"members":[{"$ref":null,"value":"BOB"}]}}`, members: []string{"ada", "bob", "Inner"}, events: added},
		"add who is in":                 {operations: `{"op":"add","path":"members","value":[{"value":"ADA"}]}`},
		"add a group":                   {operations: `{"op":"add","path":"members","value":[{"value":"OTHER","type":"Group"}]}`, members: []string{"ada", "Inner", "Other"}, events: []string{"membership.group_added"}},
		"add a group that is in":        {operations: `{"op":"add","path":"members","value":[{"value":"INNER"}]}`},
		"add by externalId":             {operations: `{"op":"add","path":"members","value":[{"value":"ext-bob"}]}`, members: []string{"ada", "bob", "Inner"}, events: added},
		"add nobody who is known":       {operations: `{"op":"add","path":"members","value":[{"value":"nobody"}]}`, events: []string{"membership.awaited"}},
		"add itself":                    {operations: `{"op":"add","path":"members","value":[{"value":"SELF"}]}`, fails: "invalidValue"},
		"remove one by filter":          {operations: `{"op":"remove","path":"members[value eq \"ADA\"]"}`, members: []string{"Inner"}, events: removed},
		"remove one by value":           {operations: `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"ADA"}]}`, members: []string{"Inner"}, events: removed},
		"remove a group":                {operations: `{"op":"remove","path":"members[value eq \"INNER\"]"}`, members: []string{"ada"}, events: []string{"membership.group_removed"}},
		"remove groups by type":         {operations: `{"op":"remove","path":"members[type eq \"Group\"]"}`, members: []string{"ada"}, events: []string{"membership.group_removed"}},
		"remove by display":             {operations: `{"op":"remove","path":"members[display co \"ada\"]"}`, members: []string{"Inner"}, events: removed},
		"remove all":                    {operations: `{"op":"remove","path":"members"}`, members: []string{}, events: []string{"membership.group_removed", "membership.removed"}},
		"remove who isn't in":           {operations: `{"op":"remove","path":"members[value eq \"BOB\"]"}`},
		"remove nobody":                 {operations: `{"op":"Remove","path":"members","value":[]}`},
		"replace all":                   {operations: `{"op":"replace","path":"members","value":[{"value":"BOB"}]}`, members: []string{"bob"}, events: []string{"membership.added", "membership.group_removed", "membership.removed"}},
		"replace by the same":           {operations: `{"op":"replace","path":"members","value":[{"value":"ADA"},{"value":"INNER"}]}`},
		"replace by none":               {operations: `{"op":"replace","path":"members","value":[]}`, members: []string{}, events: []string{"membership.group_removed", "membership.removed"}},
		"in order":                      {operations: `{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"ADA"}]}`, members: []string{"ada"}, events: []string{"membership.group_removed"}},
		"rename":                        {operations: `{"op":"replace","path":"displayName","value":"New"}`, name: "New", events: []string{"team.updated"}},
		"rename, without a path, by id": {operations: `{"op":"replace","value":{"id":"SELF","displayName":"New"}}`, name: "New", events: []string{"team.updated"}},
		"rename to the same":            {operations: `{"op":"replace","path":"displayName","value":"Eng"}`},
		"remove the name":               {operations: `{"op":"remove","path":"displayName"}`, fails: "mutability"},
		"no name":                       {operations: `{"op":"replace","path":"displayName","value":""}`, fails: "invalidValue"},
		"remove without a path":         {operations: `{"op":"remove"}`, fails: "noTarget"},
		"replace one by another":        {operations: `{"op":"replace","path":"members[value eq \"ADA\"].value","value":"BOB"}`, fails: "mutability"},
		"a bad filter":                  {operations: `{"op":"remove","path":"members[shoe eq \"x\"]"}`, fails: "invalidFilter"},
		"members that are none":         {operations: `{"op":"add","path":"members","value":[{"value":7}]}`, fails: "invalidValue"},
		"remove by nonsense":            {operations: `{"op":"remove","path":"members","value":{}}`, fails: "invalidValue"},
		"all or none":                   {operations: `{"op":"remove","path":"members"},{"op":"replace","path":"id","value":"x"}`, fails: "mutability"},
	}
	each(t, func(s *service) {
		ada := s.user("ada")
		bob := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"bob","externalId":"ext-bob"}`).id()
		inner, other := s.group("Inner"), s.group("Other")
		requests := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(forms)) {
			form := forms[name]
			g := s.group("Eng", ada, inner)
			before := s.must(http.StatusOK, "GET", "/Groups/"+g, "")
			operations := strings.NewReplacer("ADA", ada, "BOB", bob, "INNER", inner, "OTHER", other, "SELF", g).Replace(form.operations)
			r := s.do("PATCH", "/Groups/"+g, patch(operations))
			after := s.must(http.StatusOK, "GET", "/Groups/"+g, "")
			requests[name] = r.header.Get("X-Request-Id")
			moves := form.events != nil && !slices.Contains(form.events, "membership.awaited") // who isn't here yet isn't shown
			switch {
			case form.fails != "":
				if r.status != http.StatusBadRequest || r.text("scimType") != form.fails || string(after.raw) != string(before.raw) {
					s.Errorf("%s: %d %s, want %s; it is %s", name, r.status, r.raw, form.fails, after.raw)
				}
				continue
			case r.status != http.StatusNoContent || r.header.Get("ETag") != after.header.Get("ETag"):
				s.Errorf("%s: %d %s, ETag %s and %s", name, r.status, r.raw, r.header.Get("ETag"), after.header.Get("ETag"))
			case !moves && string(after.raw) != string(before.raw):
				s.Errorf("%s: it was %s and is %s", name, before.raw, after.raw)
			case moves && after.at("meta/version") != `W/"2"`:
				s.Errorf("%s: version %v", name, after.at("meta/version"))
			}
			if form.members != nil && !slices.Equal(s.members(g), form.members) {
				s.Errorf("%s: members %v, want %v", name, s.members(g), form.members)
			}
			if form.name != "" && after.text("displayName") != form.name {
				s.Errorf("%s: named %s", name, after.text("displayName"))
			}
		}
		events := s.eventsByRequest()
		for name, id := range requests {
			got := slices.Sorted(slices.Values(events[id]))
			if !slices.Equal(got, forms[name].events) && len(got)+len(forms[name].events) > 0 {
				s.Errorf("%s: told as %v, want %v", name, got, forms[name].events)
			}
		}
	})
}

// Entra means an upsert by replace, also in the mode in which it writes its operations small.
func TestEntrasReplaceMakesAMissingValueInEitherMode(t *testing.T) {
	each(t, func(s *service) {
		for name, tc := range map[string]struct {
			op, agent, query string
			made             bool
		}{
			"its older mode":       {op: "Replace", made: true},
			"its newer mode":       {op: "replace", agent: "Azure-Provisioning/1.0", made: true},
			"its newer mode's URL": {op: "replace", query: "?aadOptscim062020", made: true},
			"another client":       {op: "replace", agent: "okta-scim/2.0"},
			"nobody says who":      {op: "replace"},
		} {
			id := s.user(strings.ReplaceAll(name, " ", "") + "@x.com")
			set := func(kind string) reply {
				return s.send(request{
					method: "PATCH", path: "/Users/" + id + tc.query, header: map[string]string{"User-Agent": tc.agent},
					body: patch(`{"op":"` + tc.op + `","path":"emails[type eq \"` + kind + `\"].value","value":"` + kind + `@x.com"}`),
				})
			}
			// Where there are no values at all, a replace adds for everybody.
			if r := set("work"); r.status != http.StatusOK || r.at("emails/0/type") != "work" {
				s.Errorf("%s, the first value: %d %s", name, r.status, r.raw)
			}
			r := set("home")
			if tc.made && (r.status != http.StatusOK || r.at("emails/1/type") != "home") || !tc.made && r.text("scimType") != "noTarget" {
				s.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
	})
}

func TestAPatchOfTenThousandMembersIsOneTransaction(t *testing.T) {
	each(t, func(s *service) {
		const n = 10_000
		ids := s.many(n)
		g := s.group("All")
		refs := make([]map[string]any, n)
		for i := range ids {
			refs[i] = map[string]any{"$ref": nil, "value": ids[i]}
		}
		body := func(op string) string {
			out, err := json.Marshal(map[string]any{"Operations": []any{map[string]any{"op": op, "path": "members", "value": refs}}})
			if err != nil {
				s.Fatal(err)
			}
			return string(out)
		}
		r := s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, body("Add"))
		if got := len(s.members(g)); got != n || r.header.Get("ETag") != `W/"2"` {
			s.Errorf("%d members at %s", got, r.header.Get("ETag"))
		}
		s.must(http.StatusNoContent, "PATCH", "/Groups/"+g, body("Remove"))
		if got := len(s.members(g)); got != 0 {
			s.Errorf("%d members are left", got)
		}
	})
}
