package scim_test

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func TestListResponseAlwaysHasResources(t *testing.T) {
	for name, tc := range map[string]struct {
		list scim.ListResponse
		want string
	}{
		"by cursor": {
			scim.ListResponse{TotalResults: 7, NextCursor: "c"},
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":7,"itemsPerPage":0,"nextCursor":"c","Resources":[]}`,
		},
		"empty": {scim.NewListResponse[scim.Resource](nil, 0, 1), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`},
		"a page": {
			scim.NewListResponse([]scim.Resource{{"id": "a"}}, 7, 3),
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":7,"startIndex":3,"itemsPerPage":1,"Resources":[{"id":"a"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := asJSON(t, tc.list); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestListQueryIsReadByTheRFC(t *testing.T) {
	for query, want := range map[string]scim.ListQuery{
		"":                                     {StartIndex: 1},
		"startIndex=1&count=2":                 {StartIndex: 1, Count: 2, HasCount: true},
		"startIndex=0&count=0":                 {StartIndex: 1, HasCount: true},
		"startIndex=-5&count=-5":               {StartIndex: 1, HasCount: true},
		"STARTINDEX=7&Count=":                  {StartIndex: 7},
		"count=999999999999999999999999":       {StartIndex: 1, Count: 1<<31 - 1, HasCount: true},
		"startIndex=-999999999999999999999999": {StartIndex: 1},
		"filter=userName+eq+%22a%22&attributes=id,userName&excludedAttributes=members": {
			StartIndex: 1, Filter: `userName eq "a"`, Attributes: []string{"id,userName"}, ExcludedAttributes: []string{"members"},
		},
		"sortBy=userName&sortOrder=Descending": {StartIndex: 1, SortBy: "userName", Descending: true},
		"sortBy=userName&sortOrder=ascending":  {StartIndex: 1, SortBy: "userName"},
		"cursor":                               {StartIndex: 1, ByCursor: true},
		"cursor=abc&count=2&startIndex=":       {StartIndex: 1, ByCursor: true, Cursor: "abc", Count: 2, HasCount: true},
		"filter=a&FILTER=a":                    {StartIndex: 1, Filter: "a"},
	} {
		values, err := url.ParseQuery(query)
		check(t, err, "")
		got, err := scim.ParseListQuery(values)
		check(t, err, "")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
	for query, scimType := range map[string]string{
		"startIndex=x": "invalidValue", "count=1.5": "invalidValue", "count=ten": "invalidValue", "sortOrder=up": "invalidValue",
		"filter=a&filter=b": "invalidValue", "count=1&COUNT=2": "invalidValue", "cursor=&startIndex=1": "invalidValue",
		"cursor=&count=ten": "invalidCount",
	} {
		values, err := url.ParseQuery(query)
		check(t, err, "")
		_, err = scim.ParseListQuery(values)
		check(t, err, scimType)
	}
}

func TestSearchRequestIsReadLikeAQuery(t *testing.T) {
	got, err := scim.ParseSearchRequest([]byte(`{"schemas":["` + scim.SearchRequestURN + `"],"attributes":["id","userName"],
		"excludedAttributes":"members","filter":"title pr","sortBy":"title","sortOrder":"descending","startIndex":2,"COUNT":"10"}`))
	check(t, err, "")
	want := scim.ListQuery{
		Filter: "title pr", SortBy: "title", Descending: true, StartIndex: 2, Count: 10, HasCount: true,
		Attributes: []string{"id", "userName"}, ExcludedAttributes: []string{"members"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for body, want := range map[string]scim.ListQuery{
		`{"cursor":""}`: {StartIndex: 1, ByCursor: true}, `{"cursor":null,"startIndex":2}`: {StartIndex: 2}, `{"Cursor":"c"}`: {StartIndex: 1, ByCursor: true, Cursor: "c"},
	} {
		if got, err := scim.ParseSearchRequest([]byte(body)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", body, got, err, want)
		}
	}
	for body, scimType := range map[string]string{
		`[]`:                    "invalidSyntax",
		`{"filter":5,`:          "invalidSyntax",
		`{"filter":{}}`:         "invalidValue",
		`{"count":1.5}`:         "invalidValue",
		`{"attributes":[5]}`:    "invalidValue",
		`{"startIndex":"many"}`: "invalidValue",
	} {
		_, err := scim.ParseSearchRequest([]byte(body))
		check(t, err, scimType)
	}
}

func TestSortByIsASimpleAttribute(t *testing.T) {
	for name, want := range map[string]string{
		"userName": "userName", "NAME.givenname": "name.givenName", "emails": "emails.value", "emails.type": "emails.type",
		ent + ":department": ent + ":department", ent + ":manager": ent + ":manager.value", "meta.created": "meta.created", "shoe": "shoe",
	} {
		if got, err := scim.ParseSort(scim.NewUserType(), name); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"name", "addresses", ent, "user name", "emails[type pr]", "a.b.c", "", "\x00"} {
		_, err := scim.ParseSort(scim.NewUserType(), name)
		check(t, err, "invalidValue")
	}
}

func FuzzListQuery(f *testing.F) {
	for _, seed := range []string{"startIndex=1&count=2", "cursor&count=5", "filter=userName+eq+%22a%22&sortBy=emails&sortOrder=descending", "attributes=id,emails.value&excludedAttributes=name", "COUNT=-1&cursor=%00"} {
		f.Add(seed)
	}
	users := scim.NewUserType()
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := scim.ParseListQuery(values)
		if err != nil {
			clientError(t, err)
			return
		}
		if q.StartIndex < 1 || q.Count < 0 || q.ByCursor && q.StartIndex != 1 {
			t.Errorf("%q is read as %+v", raw, q)
		}
		if _, err := scim.ParseSort(users, q.SortBy); err != nil {
			clientError(t, err)
		}
		p := scim.ParseProjection(users, q.Attributes, q.ExcludedAttributes)
		if got := p.Apply(scim.Resource{"id": "a", "password": "p", "userName": "u"}); got["id"] != "a" || got["password"] != nil {
			t.Errorf("%q gives %v", raw, got)
		}
	})
}
