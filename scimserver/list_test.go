package scimserver_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// crowd makes users a to e.
func (s *service) crowd() []string {
	s.Helper()
	var ids []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, s.user(name+"@x.com"))
	}
	return ids
}

func TestPagesByIndex(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: -1, PageSize: 3, MaxPage: 4}, func(s *service) {
		ids := s.crowd()
		for query, want := range map[string]struct {
			start float64
			ids   []string
		}{
			"":                                 {1, ids[:3]},
			"startIndex=1&count=2":             {1, ids[:2]},
			"startIndex=4&count=2":             {4, ids[3:]},
			"startIndex=5&count=2":             {5, ids[4:]},
			"startIndex=6":                     {6, nil},
			"startIndex=99":                    {99, nil},
			"startIndex=0&count=1":             {1, ids[:1]},
			"startIndex=-7&count=1":            {1, ids[:1]},
			"count=0":                          {1, nil},
			"count=-3":                         {1, nil},
			"count=100":                        {1, ids[:4]},
			"STARTINDEX=2&Count=1":             {2, ids[1:2]},
			"startIndex=&count=":               {1, ids[:3]},
			"count=99999999999999999999999999": {1, ids[:4]},
			"startIndex=2147483647":            {2147483647, nil},
		} {
			r := s.must(http.StatusOK, "GET", "/Users?"+query, "")
			if got := r.resources(); !slices.Equal(got, want.ids) && len(got)+len(want.ids) > 0 || r.body["totalResults"] != 5.0 ||
				r.body["startIndex"] != want.start || r.body["itemsPerPage"] != float64(len(want.ids)) || r.body["nextCursor"] != nil {
				s.Errorf("%s: %s", query, r.raw)
			}
			if _, ok := r.body["Resources"].([]any); !ok {
				s.Errorf("%s: no list of resources in %s", query, r.raw)
			}
		}
	})
}

func TestPagesByCursor(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: -1, PageSize: 3, MaxPage: 4}, func(s *service) {
		ids := s.crowd()
		first := s.must(http.StatusOK, "GET", "/Users?cursor&count=2", "")
		if got := first.resources(); !slices.Equal(got, ids[:2]) || first.body["totalResults"] != 5.0 || first.body["itemsPerPage"] != 2.0 {
			s.Errorf("first page: %s", first.raw)
		}
		if _, ok := first.body["startIndex"]; ok || first.body["previousCursor"] != nil {
			s.Errorf("first page: %s", first.raw)
		}
		cursor := first.text("nextCursor")
		if strings.Trim(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" || cursor == "" {
			s.Errorf("cursor %q is not made of unreserved characters", cursor)
		}
		// Who comes or goes meanwhile neither hides nor repeats anybody.
		s.must(http.StatusNoContent, "DELETE", "/Users/"+ids[0], "")
		s.must(http.StatusNoContent, "DELETE", "/Users/"+ids[1], "")
		ids = append(ids, s.user("f@x.com"))
		second := s.must(http.StatusOK, "GET", "/Users?cursor="+cursor+"&count=2", "")
		if got := second.resources(); !slices.Equal(got, ids[2:4]) || second.body["totalResults"] != 4.0 {
			s.Errorf("second page: %s", second.raw)
		}
		third := s.must(http.StatusOK, "GET", "/Users?cursor="+second.text("nextCursor")+"&count=2", "")
		if got := third.resources(); !slices.Equal(got, ids[4:]) || third.body["nextCursor"] != nil {
			s.Errorf("last page: %s", third.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Users?cursor=&count=0", ""); len(r.resources()) != 0 || r.body["totalResults"] != 4.0 || r.body["nextCursor"] != nil {
			s.Errorf("count=0: %s", r.raw)
		}
		if r := s.must(http.StatusOK, "GET", "/Users?cursor=", ""); len(r.resources()) != 3 || r.text("nextCursor") == "" {
			s.Errorf("without a count: %s", r.raw)
		}
	})
}

func TestACursorGoesOnWhateverTheQuerysSpelling(t *testing.T) {
	each(t, func(s *service) {
		s.crowd()
		ask := func(query string) reply { s.Helper(); return s.must(http.StatusOK, "GET", "/Users?"+query, "") }
		first := ask("filter=userName+pr+and+active+eq+true&sortBy=userName&cursor&count=2")
		want := ask("filter=userName+pr+and+active+eq+true&sortBy=userName&startIndex=3&count=2").resources()
		for _, query := range []string{
			"filter=username+pr+and+active+eq+true&sortBy=username&count=2", // RFC 9865, section 2, writes both
			"filter=(userName++PR)+AND+active+eq+True&sortBy=" + url.QueryEscape("urn:ietf:params:scim:schemas:core:2.0:User:userName") + "&sortOrder=ascending&count=2",
			"filter=userName+pr+and+active+eq+true&sortBy=userName", // as many as before
		} {
			if r := ask(query + "&cursor=" + first.text("nextCursor")); !slices.Equal(r.resources(), want) || len(want) != 2 {
				s.Errorf("%s: %s, want %v", query, r.raw, want)
			}
		}
	})
}

func TestCursorsThatAreNotTheQuerysAreRefused(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: -1, MaxPage: 4}, func(s *service) {
		s.crowd()
		s.now = time.Now()
		cursor := s.must(http.StatusOK, "GET", "/Users?sortBy=userName&cursor=&count=2", "").text("nextCursor")
		refused := func(what, path, scimType string) {
			s.Helper()
			if r := s.do("GET", path, ""); r.status != http.StatusBadRequest || r.text("scimType") != scimType || r.text("detail") == "" {
				s.Errorf("%s: %d %s, want %s", what, r.status, r.raw, scimType)
			}
		}
		page := func(cursor string) string { return "/Users?sortBy=userName&count=2&cursor=" + cursor }
		s.must(http.StatusOK, "GET", page(cursor), "")
		for i := range cursor {
			other := byte('A')
			if cursor[i] == 'A' {
				other = 'B'
			}
			refused(fmt.Sprint("altered at ", i), page(cursor[:i]+string(other)+cursor[i+1:]), "invalidCursor")
		}
		for what, c := range map[string]string{"cut": cursor[:len(cursor)-3], "longer": cursor + "AAAA", "nonsense": "nonsense", "not base64": "x.y~z", "empty inside": "AAAA", "NUL": "%00"} {
			refused(what, page(c), "invalidCursor")
		}
		refused("another order", "/Users?sortBy=userName&sortOrder=descending&count=2&cursor="+cursor, "invalidCursor")
		refused("another attribute", "/Users?sortBy=displayName&count=2&cursor="+cursor, "invalidCursor")
		refused("another filter", page(cursor)+"&filter=title%20pr", "invalidCursor")
		refused("another endpoint", "/Groups?sortBy=userName&count=2&cursor="+cursor, "invalidCursor")
		refused("another count", "/Users?sortBy=userName&count=3&cursor="+cursor, "invalidCount")
		refused("too high a count", "/Users?count=5&cursor=", "invalidCount")
		refused("no number", "/Users?count=two&cursor=", "invalidCount")
		refused("an index beside it", "/Users?startIndex=1&cursor=", "invalidValue")

		other, _ := s.newToken(s.org, "other", "")
		if r := s.send(request{method: "GET", path: page(cursor), token: other}); r.text("scimType") != "invalidCursor" {
			s.Errorf("another token's cursor: %d %s", r.status, r.raw)
		}
		s.now = s.now.Add(59 * time.Minute)
		s.must(http.StatusOK, "GET", page(cursor), "")
		s.now = s.now.Add(2 * time.Minute)
		refused("an old one", page(cursor), "expiredCursor")
	})
}

func TestAListOfGroupsByCursorStaysWithinTheMemberBudgetAndLosesNone(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: -1, MaxPageMembers: 3}, func(s *service) {
		a, b := s.user("a@x.com"), s.user("b@x.com")
		want := []string{s.group("1", a, b), s.group("2", a), s.group("3", b), s.group("4"), s.group("5", a, b)}
		for _, count := range []string{"1", "3", "100"} {
			if got := s.pages("/Groups?count="+count, true); !slices.Equal(got, want) {
				s.Errorf("count %s: got %v, want %v", count, got, want)
			}
		}
	})
}

func TestSearchByPost(t *testing.T) {
	each(t, func(s *service) {
		ids := s.crowd()
		g := s.group("Eng", ids[0], ids[1])
		const schemas = `"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],`
		for name, tc := range map[string]struct {
			path, body string
			want       []string
		}{
			"users":                  {"/Users/.search", `{` + schemas + `"filter":"userName sw \"b\"","attributes":["userName"]}`, ids[1:2]},
			"everything":             {"/Users/.search", `{}`, ids},
			"a page":                 {"/Users/.search", `{"startIndex":2,"count":2}`, ids[1:3]},
			"sorted":                 {"/Users/.search/", `{"sortBy":"userName","sortOrder":"descending","count":1}`, ids[4:]},
			"groups":                 {"/Groups/.search", `{"filter":"members eq \"` + ids[0] + `\""}`, []string{g}},
			"both":                   {"/.search", `{"filter":"displayName eq \"eng\" or userName eq \"a@x.com\""}`, []string{ids[0], g}},
			"both, sorted, a page":   {"/.search", `{"sortBy":"displayName","count":2}`, []string{g, ids[0]}},
			"both, an index":         {"/.search", `{"startIndex":6}`, []string{g}},
			"what one of them lacks": {"/.search", `{"filter":"userName pr"}`, ids},
		} {
			r := s.must(http.StatusOK, "POST", tc.path, tc.body)
			if got := r.resources(); !slices.Equal(got, tc.want) || r.at("schemas/0") != "urn:ietf:params:scim:api:messages:2.0:ListResponse" {
				s.Errorf("%s: %s, want %v", name, r.raw, tc.want)
			}
		}
		first := s.must(http.StatusOK, "POST", "/Users/.search", `{"cursor":"","count":3,"sortBy":"userName"}`)
		second := s.must(http.StatusOK, "POST", "/Users/.search", `{"cursor":"`+first.text("nextCursor")+`","count":3,"sortBy":"userName"}`)
		if got := slices.Concat(first.resources(), second.resources()); !slices.Equal(got, ids) {
			s.Errorf("by cursor: %v", got)
		}
		if r := s.must(http.StatusOK, "POST", "/Users/.search", `{"attributes":["userName"],"count":1}`); r.at("Resources/0/meta") != nil || r.at("Resources/0/userName") != "a@x.com" {
			s.Errorf("attributes: %s", r.raw)
		}
		if r := s.must(http.StatusOK, "POST", "/Groups/.search", `{"excludedAttributes":["members"]}`); r.at("Resources/0/members") != nil {
			s.Errorf("excludedAttributes: %s", r.raw)
		}
	})
}

func TestTheRootHoldsBothTypes(t *testing.T) {
	each(t, func(s *service) {
		ids := s.crowd()
		g := s.group("Eng", ids[0])
		for _, path := range []string{"", "/", "//"} {
			r := s.must(http.StatusOK, "GET", path, "")
			if got := r.resources(); !slices.Equal(got, append(slices.Clone(ids), g)) || r.body["totalResults"] != 6.0 ||
				r.at("Resources/5/members/0/value") != ids[0] || r.at("Resources/0/groups/0/value") != g {
				s.Errorf("GET %q: %s", path, r.raw)
			}
		}
		for _, query := range []string{"count=2", "count=2&sortBy=displayName", "count=4&sortBy=meta.created&sortOrder=descending", "count=1&sortBy=active"} {
			whole := s.must(http.StatusOK, "GET", "/?"+strings.Replace(query, "count=", "count=10", 1), "").resources()
			if len(whole) != 6 || !slices.Equal(s.pages("/?"+query, true), whole) || !slices.Equal(s.pages("/?"+query, false), whole) {
				s.Errorf("%s: whole %v, by cursor %v", query, whole, s.pages("/?"+query, true))
			}
		}
	})
}

func TestAttributesOfLists(t *testing.T) {
	each(t, func(s *service) {
		s.must(http.StatusCreated, "POST", "/Users", `{"userName":"ada@x.com","name":{"givenName":"Ada"},"emails":[{"type":"work","value":"ada@x.com"}],
			"password":"secret","`+enterprise+`":{"department":"R"}}`)
		for query, want := range map[string][]string{
			"attributes=userName":                            {"id", "schemas", "userName"},
			"attributes=USERNAME,emails.value":               {"emails", "id", "schemas", "userName"},
			"attributes=" + enterprise + ":department":       {"id", "schemas", enterprise},
			"attributes=password":                            {"id", "schemas"},
			"attributes=nonsense":                            {"id", "schemas"},
			"attributes=userName&attributes=active":          {"active", "id", "schemas", "userName"},
			"attributes=userName,name&excludedAttributes=id": {"id", "name", "schemas", "userName"},
		} {
			r := s.must(http.StatusOK, "GET", "/Users?"+query, "")
			first, _ := r.at("Resources/0").(map[string]any)
			var got []string
			for k := range first {
				got = append(got, k)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				s.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		r := s.must(http.StatusOK, "GET", "/Users?excludedAttributes=id,schemas,emails,meta.location", "")
		if r.at("Resources/0/id") == nil || r.at("Resources/0/schemas") == nil || r.at("Resources/0/emails") != nil ||
			r.at("Resources/0/meta/location") != nil || r.at("Resources/0/meta/version") == nil {
			s.Errorf("excluded: %s", r.raw)
		}
	})
}

// One table for what a filter finds, by hand: the property test says that SQL and scim.Match agree, this one that both
// are right.
func TestFiltersFindWhatTheySay(t *testing.T) {
	each(t, func(s *service) {
		a := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"Ada@x.com","externalId":"E1","displayName":"Ada Ünal","title":"100%_\\","active":true,
			"name":{"givenName":"Ada","familyName":"Straße"},"emails":[{"type":"work","value":"ada@x.com"},{"type":"home","value":"Ada@home.org","primary":true}],
			"addresses":[{"type":"work","country":"AT"}],"profileUrl":"https://x/Ada","`+enterprise+`":{"department":"R&D","manager":{"value":"M1"}}}`)
		b := s.must(http.StatusCreated, "POST", "/Users", `{"userName":"bob@x.com","active":false,"emails":[{"type":"home","value":"ada@x.com"}]}`)
		c := s.user("c@x.com")
		g, h := s.group("Eng", a.id(), c), s.group("Ops", c)
		name := map[string]string{a.id(): "a", b.id(): "b", c: "c", g: "g", h: "h"}
		created, _ := a.at("meta/created").(string)
		finer := strings.TrimSuffix(created, "Z") + strings.Repeat("0", len("2006-01-02T15:04:05.000000")-len(created)+1) + "5Z"
		for filter, want := range map[string]string{
			`userName eq "ADA@X.com"`: "a", `userName Eq " ada@x.com "`: "a", `USERNAME sw "ada"`: "a", `userName ne "ada@x.com"`: "bc", `userName co "@x"`: "abc", `userName ew " com"`: "",
			`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada@x.com"`: "a", `userName gt "b"`: "bc", `userName le "ada@x.com"`: "a", `userName lt ""`: "",
			`externalId eq "E1"`: "a", `externalId eq "e1"`: "", `externalId pr`: "a", `not (externalId pr)`: "bc", `externalId ne "E1"`: "bc", `not (externalId eq "E1")`: "bc", `externalId lt "Z"`: "a",
			`title co "%"`: "a", `title co "_"`: "a", `title sw "100_"`: "", `title ew "\\"`: "a", `title eq null`: "bc", `title ne null`: "a", `title eq ""`: "", `title ne ""`: "abc",
			`displayName eq "ADA ÜNAL"`: "a", `displayName co "ünal"`: "a", `displayName eq "Ada Ünal"`: "a", `displayName eq "bob@x.com"`: "",
			`name.familyName eq "STRASSE"`: "a", `name pr`: "a", `name[givenName eq "ada" and familyName sw "s"]`: "a", `not (name.familyName sw "x")`: "abc",
			`emails eq "ada@x.com"`: "ab", `emails.value eq "ADA@HOME.ORG"`: "a", `emails co "@x"`: "ab", `emails ne "ada@x.com"`: "ac", `emails pr`: "ab", `not (emails pr)`: "c",
			`emails[type eq "work" and value eq "ada@x.com"]`: "a", `emails[type eq "work"].value eq "ada@x.com"`: "a", `emails[type eq "home"].value eq "ada@x.com"`: "b",
			`emails[not (type eq "home")]`: "a", `emails[type eq "work" or (type eq "home" and primary eq true)]`: "a", `emails[primary eq true]`: "a", `emails.primary eq false`: "", `emails.type eq "WORK"`: "a",
			`addresses.country eq "at"`: "a", `addresses[country eq "AT" and type eq "work"]`: "a", `profileUrl eq "https://x/Ada"`: "a", `profileUrl eq "https://x/ada"`: "",
			enterprise + `:department eq "r&d"`: "a", enterprise + `:manager.value eq "M1"`: "a", enterprise + `:manager.value eq "m1"`: "", enterprise + `:manager eq "M1"`: "a", `department eq "R&D"`: "",
			`schemas eq "` + enterprise + `"`: "a", `schemas co "enterprise"`: "a", `schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`: "abc", `not (schemas eq "` + enterprise + `")`: "bc",
			`active eq true`: "ac", `active ne true`: "b", `active eq "False"`: "b", `active pr`: "abc",
			`groups.value eq "` + g + `"`: "ac", `groups[value eq "` + g + `" and type eq "direct"]`: "ac", `groups.display eq "ops"`: "c", `groups pr`: "ac", `not (groups.value eq "` + g + `")`: "b",
			`groups.$ref ew "/Groups/` + h + `"`: "c", `id eq "` + c + `"`: "c", `id eq "` + c + `" or title pr and active eq false`: "c", `(id eq "` + c + `" or title pr) and active eq false`: "",
			`meta.created eq "` + created + `"`: "a", `meta.created lt "` + finer + `"`: "a", `meta.created eq "` + finer + `"`: "", `meta.created ge "` + finer + `"`: "bc", `meta.lastModified gt "2011-05-13T04:42:34Z"`: "abc",
			`meta.lastModified lt "2011-05-13T06:42:34+02:00"`: "", `meta.created sw "` + created[:10] + `t"`: "abc", `meta.resourceType eq "user"`: "", `meta.resourceType eq "User"`: "abc", `meta.version eq "W/\"1\""`: "abc",
			`meta.location ew "/Users/` + c + `"`: "c", `password pr`: "", `nonsense pr`: "", `nonsense ne "x"`: "abc", `urn:nobody:1.0:User:x eq "y"`: "", `userName.nonsense eq "c@x.com"`: "",
		} {
			s.finds("/Users", filter, want, name)
		}
		for filter, want := range map[string]string{
			`displayName eq "ENG"`: "g", `displayName co "n"`: "g", `members eq "` + c + `"`: "gh", `members.value eq "` + a.id() + `"`: "g", `members[value eq "` + a.id() + `"]`: "g", `members ne "` + c + `"`: "g",
			`members pr`: "gh", `not (members eq "` + a.id() + `")`: "h", `members.display eq "ADA@x.com"`: "g", `members.type eq "User"`: "gh", `members.type eq "Group"`: "",
			`id eq "` + g + `" and members eq "` + a.id() + `"`: "g", `id eq "` + h + `" and members eq "` + a.id() + `"`: "", `externalId pr`: "", `userName pr`: "", `meta.resourceType eq "Group"`: "gh",
		} {
			s.finds("/Groups", filter, want, name)
		}
	})
}

// finds fails unless a filter finds the resources of those names.
func (s *service) finds(endpoint, filter, want string, name map[string]string) {
	s.Helper()
	r := s.do("GET", endpoint+where(filter), "")
	got := ""
	for _, id := range r.resources() {
		got += name[id]
	}
	if r.status != http.StatusOK || got != want || r.body["totalResults"] != float64(len(want)) {
		s.Errorf("%s %s: %d, finds %q of %v, want %q %.200s", endpoint, filter, r.status, got, r.body["totalResults"], want, r.text("detail"))
	}
}

func TestAListWhoseFilterCannotBeReadIsNeverAListOfEverybody(t *testing.T) {
	each(t, func(s *service) {
		s.crowd()
		for _, query := range []string{
			"filter=%zz", "filter=userName+eq+", "filter=title+pr&filter=id+pr", "filter=(", "filter=%00", "filter=%ff", "filter=userName%20eq%20%22a%22%20;drop", "FILTER=x",
		} {
			if r := s.do("GET", "/Users?"+query, ""); r.status != http.StatusBadRequest {
				s.Errorf("%s: %d %s", query, r.status, r.raw)
			}
		}
	})
}

func TestAListThatTakesTooLongIsRefused(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: time.Hour, SearchTime: time.Nanosecond}, func(s *service) {
		s.crowd()
		for _, path := range []string{"/Users", "/Groups", "/", "/Users?cursor=", "/Users" + where(`title co "x"`)} {
			if r := s.do("GET", path, ""); r.status != http.StatusBadRequest || r.text("scimType") != "tooMany" {
				s.Errorf("%s: %d %s", path, r.status, r.raw)
			}
		}
	})
}

// A store's keys and the reference's are made by two functions, as the protocol imports nothing of ours.
func TestTheStoreFoldsAsTheProtocolDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text strings.Builder
		for range r.IntN(6) {
			text.WriteString(pick(r, words()))
			text.WriteRune(rune(r.IntN(0x3000)))
		}
		s := strings.ToValidUTF8(text.String(), "")
		if scim.Fold(s) != roster.Fold(s) || scim.FoldPart(s) != roster.FoldPart(s) {
			t.Fatalf("%q folds to %q here, to %q there", s, scim.Fold(s), roster.Fold(s))
		}
	}
}

func TestACustomSchemaIsTheOrganisationsOwn(t *testing.T) {
	cfg := scimserver.Config{TokenCache: -1}
	extension := acme(t)
	cfg.Extensions = map[string][]*scim.Schema{"acme": {extension}}
	eachWith(t, cfg, func(s *service) {
		elsewhere, _ := s.newToken(s.newOrg("other"), "idp", "")
		body := `{"userName":"a@x.com","` + custom + `":{"badge":7,"rate":1.5,"hired":"2020-01-01T00:00:00Z","remote":"True","tags":["A","b"],"nonsense":1}}`
		id := s.must(http.StatusCreated, "POST", "/Users", body).id()
		r := s.must(http.StatusOK, "GET", "/Users/"+id, "")
		own, _ := json.Marshal(r.body[custom])
		if string(own) != `{"badge":7,"hired":"2020-01-01T00:00:00Z","rate":1.5,"remote":true,"tags":["A","b"]}` || r.at("schemas/1") != custom {
			s.Errorf("stored: %s", r.raw)
		}
		for filter, want := range map[string]int{
			custom + `:badge gt 6`: 1, custom + `:badge gt 7`: 0, custom + `:hired lt "2020-01-01T01:00:00Z"`: 1, custom + `:tags eq "a"`: 1,
			custom + `:remote eq true`: 1, `schemas eq "` + custom + `"`: 1, strings.ToUpper(custom) + `:BADGE pr`: 1, custom + `:site.floor pr`: 0,
		} {
			if got := s.must(http.StatusOK, "GET", "/Users"+where(filter), "").resources(); len(got) != want {
				s.Errorf("%s finds %d", filter, len(got))
			}
		}
		if r := s.do("POST", "/Users", `{"userName":"b@x.com","`+custom+`":{"badge":"seven"}}`); r.status != http.StatusBadRequest || r.text("scimType") != "invalidValue" {
			s.Errorf("a value of the wrong type: %d %s", r.status, r.raw)
		}
		s.must(http.StatusOK, "GET", "/Schemas/"+custom, "")
		if r := s.must(http.StatusOK, "GET", "/ResourceTypes/User", ""); r.at("schemaExtensions/1/schema") != custom {
			s.Errorf("resource type: %s", r.raw)
		}
		for name, q := range map[string]request{"another organisation": {token: elsewhere}, "nobody": {token: "-"}} {
			q.method, q.path = "GET", "/Schemas/"+custom
			if r := s.send(q); r.status != http.StatusNotFound {
				s.Errorf("%s sees the schema: %d %s", name, r.status, r.raw)
			}
		}
		if r := s.send(request{method: "POST", path: "/Users", body: body, token: elsewhere}); r.status != http.StatusCreated || r.body[custom] != nil {
			s.Errorf("another organisation has the attributes: %d %s", r.status, r.raw)
		}
	})
}
