package scim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func groupEdit(t *testing.T, ops string) (scim.GroupEdit, error) {
	t.Helper()
	parsed, err := scim.ParsePatch([]byte(`{"Operations":` + ops + `}`))
	if err != nil {
		return scim.GroupEdit{}, err
	}
	return scim.ParseGroupEdit(scim.NewGroupType(), parsed)
}

func TestGroupPatchMembers(t *testing.T) {
	const none = `{"Replace":false,"Set":null,"Add":null,"Remove":null}`
	changes := func(add, remove string) string {
		return `{"Replace":false,"Set":null,"Add":` + add + `,"Remove":` + remove + `}`
	}
	set := func(ids string) string { return `{"Replace":true,"Set":` + ids + `,"Add":null,"Remove":null}` }
	for name, tc := range map[string]struct{ ops, want string }{
		"Entra removes one, by value":      {`[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"U"}]}]`, changes(`null`, `["U"]`)},
		"Entra removes one, by filter":     {`[{"op":"remove","path":"members[value eq \"U\"]"}]`, changes(`null`, `["U"]`)},
		"several by filter":                {`[{"op":"remove","path":"members[value eq \"U\" or (value eq \"V\" or value eq \"W\")]"}]`, changes(`null`, `["U","V","W"]`)},
		"by filter, with a value as well":  {`[{"op":"remove","path":"members[value eq \"U\"]","value":[]}]`, changes(`null`, `["U"]`)},
		"remove one object":                {`[{"op":"remove","path":"members","value":{"value":"U"}}]`, changes(`null`, `["U"]`)},
		"remove a plain id":                {`[{"op":"remove","path":"members","value":"U"}]`, changes(`null`, `["U"]`)},
		"remove without a value: everyone": {`[{"op":"remove","path":"members"}]`, set(`null`)},
		"remove an empty list: nobody":     {`[{"op":"remove","path":"members","value":[]}]`, none},
		"add a list":                       {`[{"op":"Add","path":"members","value":[{"value":"U"},{"$ref":null,"value":"V"}]}]`, changes(`["U","V"]`, `null`)},
		"add one object":                   {`[{"op":"add","path":"Members","value":{"value":"U","display":"Ada"}}]`, changes(`["U"]`, `null`)},
		"add a plain id":                   {`[{"op":"add","path":"members","value":"U"}]`, changes(`["U"]`, `null`)},
		"add plain ids":                    {`[{"op":"add","path":"members","value":["U","V"]}]`, changes(`["U","V"]`, `null`)},
		"add by value path":                {`[{"op":"add","path":"members.value","value":"U"}]`, changes(`["U"]`, `null`)},
		"add by filter":                    {`[{"op":"add","path":"members[value eq \"U\"]","value":{"value":"U"}}]`, changes(`["U"]`, `null`)},
		"add by $ref":                      {`[{"op":"add","path":"members","value":[{"$ref":"https://x/Users/U/"},{"value":null,"$ref":"../Groups/G"}]}]`, changes(`["U","G"]`, `null`)},
		"add nobody":                       {`[{"op":"add","path":"members","value":[]}]`, none},
		"replace":                          {`[{"op":"replace","path":"members","value":[{"value":"U"},{"value":"U"}]}]`, set(`["U"]`)},
		"replace by nobody":                {`[{"op":"replace","path":"members","value":[]}]`, set(`null`)},
		"qualified":                        {`[{"op":"add","path":"` + scim.GroupURN + `:members","value":"U"}]`, changes(`["U"]`, `null`)},
		"no path, add":                     {`[{"op":"add","value":{"members":[{"value":"U"}]}}]`, changes(`["U"]`, `null`)},
		"no path, replace":                 {`[{"op":"replace","value":{"members":[{"value":"U"}]}}]`, set(`["U"]`)},
		"no path, null":                    {`[{"op":"replace","value":{"displayName":"N","members":null}}]`, none},
		"a member's display":               {`[{"op":"replace","path":"members[value eq \"U\"].display","value":"Ada"}]`, none},
		"everyone's display":               {`[{"op":"remove","path":"members.display"}]`, none},
		"a member replaced by itself":      {`[{"op":"replace","path":"members[value eq \"U\"]","value":{"value":"U"}}]`, none},
		"add and remove in turn":           {`[{"op":"add","path":"members","value":["U","V"]},{"op":"remove","path":"members","value":"U"},{"op":"add","path":"members","value":"W"}]`, changes(`["V","W"]`, `["U"]`)},
		"remove and add in turn":           {`[{"op":"remove","path":"members","value":"U"},{"op":"add","path":"members","value":"U"}]`, changes(`["U"]`, `null`)},
		"everyone out, one in":             {`[{"op":"add","path":"members","value":"V"},{"op":"remove","path":"members"},{"op":"add","path":"members","value":"U"}]`, set(`["U"]`)},
		"replace, then change":             {`[{"op":"replace","path":"members","value":["U","V"]},{"op":"remove","path":"members","value":"U"},{"op":"add","path":"members","value":"W"}]`, set(`["V","W"]`)},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := groupEdit(t, tc.ops)
			check(t, err, "")
			if got := asJSON(t, edit.Fold()); got != tc.want {
				t.Errorf("members %s, want %s", got, tc.want)
			}
			if edit.Fold().Empty() != (tc.want == none) {
				t.Errorf("empty: %t", edit.Fold().Empty())
			}
		})
	}
}

// Those whom any other filter takes out are found among the members that the group has, in the order of the operations.
func TestGroupPatchChooses(t *testing.T) {
	now := []scim.GroupMember{{Value: "U", Display: "Ada", Type: "User"}, {Value: "V", Display: "Bob", Type: "User"}, {Value: "G", Display: "Eng", Type: "Group"}}
	for name, tc := range map[string]struct {
		ops          string
		remove, sets []string
	}{
		"by type":                {`[{"op":"remove","path":"members[type eq \"group\"]"}]`, []string{"G"}, nil},
		"by two at once":         {`[{"op":"remove","path":"members[value eq \"U\" and type eq \"User\"]"}]`, []string{"U"}, nil},
		"by two that don't meet": {`[{"op":"remove","path":"members[value eq \"U\" and type eq \"Group\"]"}]`, nil, nil},
		"negated":                {`[{"op":"remove","path":"members[not (value eq \"U\")]"}]`, []string{"V", "G"}, nil},
		"by display":             {`[{"op":"remove","path":"members[display sw \"a\"]"}]`, []string{"U"}, nil},
		"by nothing":             {`[{"op":"remove","path":"members[value eq \"\"]"}]`, nil, nil},
		"what was added before":  {`[{"op":"add","path":"members","value":"W"},{"op":"remove","path":"members[value sw \"W\"]"}]`, []string{"W"}, nil},
		"not what is added next": {`[{"op":"remove","path":"members[value pr]"},{"op":"add","path":"members","value":"U"}]`, []string{"V", "G"}, nil},
		"after a replacement":    {`[{"op":"replace","path":"members","value":["X","Y"]},{"op":"remove","path":"members[value eq \"X\" or type pr]"}]`, nil, []string{"Y"}},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := groupEdit(t, tc.ops)
			check(t, err, "")
			if !edit.Chooses() {
				t.Error("it does not choose")
			}
			edit, err = edit.Choose(now)
			check(t, err, "")
			got := edit.Fold()
			if !slices.Equal(got.Remove, tc.remove) || !slices.Equal(got.Set, tc.sets) {
				t.Errorf("removes %v, sets %v, want %v and %v", got.Remove, got.Set, tc.remove, tc.sets)
			}
		})
	}
}

func TestGroupPatchChoosesWithinBounds(t *testing.T) {
	now := make([]scim.GroupMember, 100_000)
	for i := range now {
		now[i] = scim.GroupMember{Value: fmt.Sprint(i), Type: "User"}
	}
	one := `{"op":"remove","path":"members[display eq \"x\"]"}`
	two := `{"op":"remove","path":"members[type eq \"Group\" or display eq \"x\"]"}`
	// Each term of a filter is held against each member: two million comparisons are the most.
	for name, tc := range map[string]struct {
		ops      []string
		scimType string
	}{
		"as many as there may be":     {slices.Repeat([]string{two}, 10), ""},
		"one term more":               {append(slices.Repeat([]string{two}, 10), one), "invalidValue"},
		"as many of one term":         {slices.Repeat([]string{one}, 20), ""},
		"far too many":                {slices.Repeat([]string{two}, 50_000), "invalidValue"},
		"after a list that takes all": {append([]string{`{"op":"remove","path":"members"}`}, slices.Repeat([]string{two}, 50)...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := groupEdit(t, `[`+strings.Join(tc.ops, ",")+`]`)
			check(t, err, "")
			_, err = edit.Choose(now)
			check(t, err, tc.scimType)
		})
	}
}

func TestGroupPatchAttributes(t *testing.T) {
	for name, tc := range map[string]struct{ ops, display, external string }{
		"Okta renames":            {`[{"op":"replace","value":{"id":"G","displayName":"New"}}]`, "New", "-"},
		"Entra renames":           {`[{"op":"Replace","path":"displayName","value":"New"}]`, "New", "-"},
		"a list of one":           {`[{"op":"Replace","path":"displayName","value":[{"$ref":null,"value":"New"}]}]`, "New", "-"},
		"the last name counts":    {`[{"op":"replace","path":"displayName","value":"Old"},{"op":"replace","path":"displayName","value":"New"}]`, "New", "-"},
		"externalId":              {`[{"op":"Add","path":"externalId","value":"x"}]`, "-", "x"},
		"externalId removed":      {`[{"op":"remove","path":"externalId"}]`, "-", ""},
		"externalId cleared":      {`[{"op":"replace","value":{"externalId":null}}]`, "-", ""},
		"core URN as a path":      {`[{"op":"replace","path":"` + scim.GroupURN + `","value":{"displayName":"New"}}]`, "New", "-"},
		"unknown":                 {`[{"op":"replace","path":"colour","value":"x"},{"op":"add","value":{"a b":1,"x":2}}]`, "-", "-"},
		"an unknown extension":    {`[{"op":"add","path":"urn:acme:2.0:Group:x","value":"x"}]`, "-", "-"},
		"schemas":                 {`[{"op":"add","path":"schemas","value":["x"]}]`, "-", "-"},
		"read-only ones, no path": {`[{"op":"replace","value":{"meta":{},"schemas":[]}}]`, "-", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := groupEdit(t, tc.ops)
			check(t, err, "")
			show := func(s *string) string {
				if s == nil {
					return "-"
				}
				return *s
			}
			if show(edit.DisplayName) != tc.display || show(edit.ExternalID) != tc.external || len(edit.Members) > 0 {
				t.Errorf("displayName %s, externalId %s, members %v", show(edit.DisplayName), show(edit.ExternalID), edit.Members)
			}
		})
	}
}

func TestGroupPatchRefused(t *testing.T) {
	for name, tc := range map[string]struct{ ops, scimType string }{
		"remove with a null value":        {`[{"op":"remove","path":"members","value":null}]`, "invalidValue"},
		"remove with a blank value":       {`[{"op":"remove","path":"members","value":""}]`, "invalidValue"},
		"remove with an object of none":   {`[{"op":"remove","path":"members","value":{}}]`, "invalidValue"},
		"remove with a number":            {`[{"op":"remove","path":"members","value":[1]}]`, "invalidValue"},
		"remove with a null in an object": {`[{"op":"remove","path":"members","value":[{"value":null}]}]`, "invalidValue"},
		"remove without a path":           {`[{"op":"remove","value":{"members":[{"value":"U"}]}}]`, "noTarget"},
		"remove of every value":           {`[{"op":"remove","path":"members.value"}]`, "invalidValue"},
		"replace with null":               {`[{"op":"replace","path":"members","value":null}]`, "invalidValue"},
		"add a blank":                     {`[{"op":"add","path":"members","value":[{"value":" "}]}]`, "invalidValue"},
		"a filter by what there isn't":    {`[{"op":"remove","path":"members[not (shoe eq \"U\")]"}]`, "invalidFilter"},
		"the same, within others":         {`[{"op":"remove","path":"members[value eq \"U\" and (shoe pr or type pr)]"}]`, "invalidFilter"},
		"add by another filter":           {`[{"op":"add","path":"members[type eq \"User\"]","value":{"value":"U"}}]`, "invalidFilter"},
		"replace by another filter":       {`[{"op":"replace","path":"members[type eq \"User\"]","value":{"value":"U"}}]`, "invalidFilter"},
		"a $ref of no sense":              {`[{"op":"add","path":"members","value":[{"$ref":5}]}]`, "invalidValue"},
		"a malformed filter":              {`[{"op":"remove","path":"members[value]"}]`, "invalidFilter"},
		"a malformed path":                {`[{"op":"remove","path":"members[value eq \"U\""}]`, "invalidPath"},
		"one member replaced by another":  {`[{"op":"replace","path":"members[value eq \"U\"]","value":{"value":"V"}}]`, "mutability"},
		"one member's value replaced":     {`[{"op":"replace","path":"members[value eq \"U\"].value","value":"V"}]`, "mutability"},
		"displayName removed":             {`[{"op":"remove","path":"displayName"}]`, "mutability"},
		"displayName cleared":             {`[{"op":"replace","path":"displayName","value":""}]`, "invalidValue"},
		"displayName blank":               {`[{"op":"replace","value":{"displayName":" "}}]`, "invalidValue"},
		"displayName an object":           {`[{"op":"replace","value":{"displayName":{"x":1}}}]`, "invalidValue"},
		"displayName a number":            {`[{"op":"replace","path":"displayName","value":5}]`, "invalidValue"},
		"displayName filtered":            {`[{"op":"replace","path":"displayName[value eq \"x\"]","value":"y"}]`, "invalidPath"},
		"id as a path":                    {`[{"op":"replace","path":"id","value":"x"}]`, "mutability"},
		"a text without a path":           {`[{"op":"add","value":"U"}]`, "invalidValue"},
		"good members, bad name":          {`[{"op":"add","path":"members","value":"U"},{"op":"remove","path":"displayName"}]`, "mutability"},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := groupEdit(t, tc.ops)
			check(t, err, tc.scimType)
			if len(edit.Members) > 0 || edit.DisplayName != nil {
				t.Errorf("an edit in spite of the error: %+v", edit)
			}
		})
	}
}

// Applied to any group, the folded change leaves what the edits leave one after the other.
func TestGroupFoldEqualsEditsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := func() []string {
		out := make([]string, rng.IntN(3))
		for i := range out {
			out[i] = fmt.Sprint(rng.IntN(5))
		}
		return out
	}
	for range 5_000 {
		var edit scim.GroupEdit
		for range rng.IntN(6) {
			e := scim.MemberEdit{Op: []scim.Op{scim.Add, scim.Remove, scim.Replace, scim.Remove}[rng.IntN(4)], IDs: ids()}
			if e.Op == scim.Remove && rng.IntN(4) == 0 {
				e.All, e.IDs = true, nil
			}
			edit.Members = append(edit.Members, e)
		}
		want, got := map[string]bool{"0": true, "1": true}, map[string]bool{"0": true, "1": true}
		for _, e := range edit.Members {
			if e.All || e.Op == scim.Replace {
				clear(want)
			}
			for _, id := range e.IDs {
				if want[id] = true; e.Op == scim.Remove {
					delete(want, id)
				}
			}
		}
		change := edit.Fold()
		if change.Replace {
			clear(got)
		}
		for _, id := range slices.Concat(change.Set, change.Add) {
			got[id] = true
		}
		for _, id := range change.Remove {
			delete(got, id)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%+v folds to %+v: %v, want %v", edit.Members, change, got, want)
		}
	}
}
