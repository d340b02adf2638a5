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
		"zero":  {scim.ListResponse{}, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":0,"itemsPerPage":0,"Resources":[]}`},
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
	} {
		values, err := url.ParseQuery(query)
		check(t, err, "")
		got, err := scim.ParseListQuery(values)
		check(t, err, "")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
	for _, query := range []string{"startIndex=x", "count=1.5", "count=ten", "sortOrder=up"} {
		values, err := url.ParseQuery(query)
		check(t, err, "")
		_, err = scim.ParseListQuery(values)
		check(t, err, "invalidValue")
	}
}

func TestPageSizeIsAtMostTheServers(t *testing.T) {
	for _, tc := range []struct {
		q    scim.ListQuery
		want int
	}{
		{scim.ListQuery{}, 100},
		{scim.ListQuery{Count: 5, HasCount: true}, 5},
		{scim.ListQuery{Count: 500, HasCount: true}, 100},
		{scim.ListQuery{Count: 0, HasCount: true}, 0},
	} {
		if got := tc.q.PageSize(100); got != tc.want {
			t.Errorf("%+v: %d, want %d", tc.q, got, tc.want)
		}
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
