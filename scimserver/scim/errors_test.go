package scim_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

// check compares an error with the scimType that a rule asks for; "" asks for none.
func check(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	var e *scim.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v, want %s", err, want)
		return
	}
	if e.Type != want || e.Status != http.StatusBadRequest || e.Detail == "" {
		t.Errorf("error %+v, want a 400 %s with a detail", e, want)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestErrorBodyHasStatusAsString(t *testing.T) {
	for name, tc := range map[string]struct {
		err  *scim.Error
		want string
	}{
		"with a scimType": {
			scim.Uniqueness("userName %s is taken", "ada"),
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName ada is taken"}`,
		},
		"without a scimType": {
			scim.NewError(404, "no such user"),
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no such user"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := asJSON(t, tc.err); got != tc.want {
				t.Errorf("body %s, want %s", got, tc.want)
			}
		})
	}
}

func TestEachErrorTypeHasItsStatus(t *testing.T) {
	for want, tc := range map[string]struct {
		err    *scim.Error
		status int
	}{
		scim.TypeInvalidFilter: {scim.InvalidFilter("x"), 400},
		scim.TypeTooMany:       {scim.TooMany("x"), 400},
		scim.TypeUniqueness:    {scim.Uniqueness("x"), 409},
		scim.TypeMutability:    {scim.Mutability("x"), 400},
		scim.TypeInvalidSyntax: {scim.InvalidSyntax("x"), 400},
		scim.TypeInvalidPath:   {scim.InvalidPath("x"), 400},
		scim.TypeNoTarget:      {scim.NoTarget("x"), 400},
		scim.TypeInvalidValue:  {scim.InvalidValue("x"), 400},
		scim.TypeInvalidVers:   {scim.InvalidVers("x"), 400},
		scim.TypeSensitive:     {scim.Sensitive("x"), 403},
	} {
		if tc.err.Type != want || tc.err.Status != tc.status {
			t.Errorf("%+v, want %d %s", tc.err, tc.status, want)
		}
	}
}
