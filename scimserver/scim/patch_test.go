package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

const (
	base = `{"userName":"ada","title":"T","active":true,"name":{"givenName":"Ada","familyName":"L"},` +
		`"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"}],` +
		`"` + ent + `":{"department":"D","manager":{"value":"M","$ref":"../Users/M"}}}`
	bare = `{"userName":"ada"}`
)

func patch(t *testing.T, resource, ops string) (before, after scim.Resource, changed bool, err error) {
	t.Helper()
	before, err = scim.DecodeResource(scim.NewUserType(), []byte(resource))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := scim.ParsePatch([]byte(`{"Operations":` + ops + `}`))
	if err != nil {
		return before, nil, false, err
	}
	after, changed, err = scim.ApplyPatch(scim.NewUserType(), before, parsed)
	return before, after, changed, err
}

// patchCase gives only the top-level attributes that the PATCH should change; null for one that should go.
type patchCase struct{ resource, ops, want string }

func (tc patchCase) run(t *testing.T) {
	before, after, changed, err := patch(t, tc.resource, tc.ops)
	check(t, err, "")
	if err != nil {
		return
	}
	want := decodeRaw(t, tc.resource)
	for k, v := range decodeRaw(t, tc.want) {
		if want[k] = v; v == nil {
			delete(want, k)
		}
	}
	if got := asJSON(t, after); got != asJSON(t, want) {
		t.Errorf("patched %s\n   want %s", got, asJSON(t, want))
	}
	if changed != (tc.want != `{}`) {
		t.Errorf("changed: %t", changed)
	}
	if asJSON(t, before) != asJSON(t, decodeRaw(t, tc.resource)) {
		t.Errorf("the input became %s", asJSON(t, before))
	}
}

func TestPatchSingleValues(t *testing.T) {
	for name, tc := range map[string]patchCase{
		"replace":                       {base, `[{"op":"replace","path":"title","value":"N"}]`, `{"title":"N"}`},
		"add replaces a single value":   {base, `[{"op":"add","path":"title","value":"N"}]`, `{"title":"N"}`},
		"replace what is not there":     {bare, `[{"op":"replace","path":"title","value":"N"}]`, `{"title":"N"}`},
		"capital ops, path in any case": {base, `[{"OP":"Replace","PATH":"TITLE","VALUE":"N"}]`, `{"title":"N"}`},
		"no change":                     {base, `[{"op":"replace","path":"title","value":"T"}]`, `{}`},
		"null clears":                   {base, `[{"op":"replace","path":"title","value":null}]`, `{"title":null}`},
		"blank clears":                  {base, `[{"op":"Replace","path":"title","value":""}]`, `{"title":null}`},
		"remove":                        {base, `[{"op":"remove","path":"title"}]`, `{"title":null}`},
		"remove with a null value":      {base, `[{"op":"Remove","path":"title","value":null}]`, `{"title":null}`},
		"remove what is not there":      {bare, `[{"op":"remove","path":"title"}]`, `{}`},
		"several operations in order":   {base, `[{"op":"remove","path":"title"},{"op":"add","path":"title","value":"N"}]`, `{"title":"N"}`},
		"Entra's list of one":           {base, `[{"op":"Add","path":"title","value":[{"$ref":null,"value":"N"}]}]`, `{"title":"N"}`},
		"a list of one text":            {base, `[{"op":"Add","path":"title","value":["N"]}]`, `{"title":"N"}`},
		"active as False":               {base, `[{"op":"Replace","path":"active","value":"False"}]`, `{"active":false}`},
		"active as false in quotes":     {base, `[{"op":"Replace","path":"active","value":"false"}]`, `{"active":false}`},
		"active as a boolean":           {base, `[{"op":"replace","path":"active","value":false}]`, `{"active":false}`},
		"active again":                  {base, `[{"op":"Replace","path":"active","value":"True"}]`, `{}`},
		"active without a path":         {base, `[{"op":"replace","value":{"active":false}}]`, `{"active":false}`},
		"active removed":                {base, `[{"op":"remove","path":"active"}]`, `{"active":null}`},
		"a sub-attribute":               {base, `[{"op":"Add","path":"name.familyName","value":"B"}]`, `{"name":{"givenName":"Ada","familyName":"B"}}`},
		"a sub-attribute of nothing":    {bare, `[{"op":"Replace","path":"name.familyName","value":"B"}]`, `{"name":{"familyName":"B"}}`},
		"a sub-attribute removed":       {base, `[{"op":"remove","path":"name.familyName"}]`, `{"name":{"givenName":"Ada"}}`},
		"the last sub-attribute":        {base, `[{"op":"remove","path":"name.familyName"},{"op":"replace","path":"name.givenName","value":""}]`, `{"name":null}`},
		"a complex value is merged":     {base, `[{"op":"replace","path":"name","value":{"familyName":"B","honorificPrefix":"Dr"}}]`, `{"name":{"givenName":"Ada","familyName":"B","honorificPrefix":"Dr"}}`},
		"a complex value is cleared":    {base, `[{"op":"replace","path":"name","value":null}]`, `{"name":null}`},
		"an empty object":               {base, `[{"op":"add","path":"name","value":{}}]`, `{}`},
		"qualified core attribute":      {base, `[{"op":"replace","path":"` + scim.UserURN + `:title","value":"N"}]`, `{"title":"N"}`},
		"core URN as a path":            {base, `[{"op":"replace","path":"` + scim.UserURN + `","value":{"title":"N"}}]`, `{"title":"N"}`},
	} {
		t.Run(name, tc.run)
	}
}

func TestPatchExtension(t *testing.T) {
	for name, tc := range map[string]patchCase{
		"an attribute":              {bare, `[{"op":"Add","path":"` + ent + `:department","value":"N"}]`, `{"` + ent + `":{"department":"N"}}`},
		"URN in any case":           {bare, `[{"op":"Add","path":"` + strings.ToUpper(ent) + `:Department","value":"N"}]`, `{"` + ent + `":{"department":"N"}}`},
		"manager as a text":         {bare, `[{"op":"Add","path":"` + ent + `:manager","value":"N"}]`, `{"` + ent + `":{"manager":{"value":"N"}}}`},
		"manager as an object":      {bare, `[{"op":"add","path":"` + ent + `:manager","value":{"value":"N"}}]`, `{"` + ent + `":{"manager":{"value":"N"}}}`},
		"manager as Entra's list":   {bare, `[{"op":"Add","path":"` + ent + `:manager","value":[{"$ref":null,"value":"N"}]}]`, `{"` + ent + `":{"manager":{"value":"N"}}}`},
		"manager's value":           {bare, `[{"op":"add","path":"` + ent + `:manager.value","value":"N"}]`, `{"` + ent + `":{"manager":{"value":"N"}}}`},
		"a new manager drops $ref":  {base, `[{"op":"Replace","path":"` + ent + `:manager","value":"N"}]`, `{"` + ent + `":{"department":"D","manager":{"value":"N"}}}`},
		"the same manager":          {base, `[{"op":"Replace","path":"` + ent + `:manager","value":"M"}]`, `{}`},
		"manager removed":           {base, `[{"op":"Remove","path":"` + ent + `:manager"}]`, `{"` + ent + `":{"department":"D"}}`},
		"manager cleared":           {base, `[{"op":"Replace","path":"` + ent + `:manager","value":""}]`, `{"` + ent + `":{"department":"D"}}`},
		"merged by its URN":         {base, `[{"op":"add","path":"` + ent + `","value":{"division":"V"}}]`, `{"` + ent + `":{"department":"D","division":"V","manager":{"value":"M","$ref":"../Users/M"}}}`},
		"removed by its URN":        {base, `[{"op":"remove","path":"` + ent + `"}]`, `{"` + ent + `":null}`},
		"nested without a path":     {bare, `[{"op":"add","value":{"` + ent + `":{"department":"N","manager":"m"}}}]`, `{"` + ent + `":{"department":"N","manager":{"value":"m"}}}`},
		"the last attribute":        {base, `[{"op":"remove","path":"` + ent + `:manager"},{"op":"remove","path":"` + ent + `:department"}]`, `{"` + ent + `":null}`},
		"nothing of an absent one":  {bare, `[{"op":"remove","path":"` + ent + `:department"}]`, `{}`},
		"an unknown extension":      {base, `[{"op":"add","path":"urn:acme:2.0:User:x","value":"y"}]`, `{}`},
		"an unknown extension, URN": {base, `[{"op":"add","path":"urn:acme:scim:2.0","value":{"x":"y"}}]`, `{}`},
		"an unknown one removed":    {base, `[{"op":"remove","path":"urn:acme:2.0:User:x"}]`, `{}`},
	} {
		t.Run(name, tc.run)
	}
}

func TestPatchWithoutPath(t *testing.T) {
	for name, tc := range map[string]patchCase{
		"plain": {base, `[{"op":"replace","value":{"title":"N","active":"false"}}]`, `{"title":"N","active":false}`},
		"dotted, qualified and filtered keys": {
			bare,
			`[{"op":"Add","value":{"name.givenName":"A","` + ent + `:department":"X","emails[type eq \"work\"].value":"a@x"}}]`,
			`{"name":{"givenName":"A"},"` + ent + `":{"department":"X"},"emails":[{"type":"work","value":"a@x"}]}`,
		},
		"id and other read-only ones":  {base, `[{"op":"replace","value":{"id":"x","meta":{},"groups":[],"schemas":[],"title":"N"}}]`, `{"title":"N"}`},
		"password":                     {base, `[{"op":"replace","value":{"password":"x"}}]`, `{}`},
		"unknown and malformed keys":   {base, `[{"op":"replace","value":{"shoe":1,"a b":2,"emails[":3,"urn:x:y":4}}]`, `{}`},
		"null clears":                  {base, `[{"op":"replace","value":{"title":null}}]`, `{"title":null}`},
		"replace replaces lists":       {base, `[{"op":"replace","value":{"emails":[{"value":"n"}]}}]`, `{"emails":[{"value":"n"}]}`},
		"add adds to lists":            {base, `[{"op":"add","value":{"emails":[{"value":"n"}]}}]`, `{"emails":[{"type":"work","value":"w","primary":true},{"type":"home","value":"h"},{"value":"n"}]}`},
		"primary before value":         {bare, `[{"op":"Add","value":{"emails[type eq \"work\"].primary":true,"emails[type eq \"work\"].value":"x"}}]`, `{"emails":[{"type":"work","primary":true,"value":"x"}]}`},
		"nothing":                      {base, `[{"op":"replace","value":{}}]`, `{}`},
		"complex values merge":         {base, `[{"op":"replace","value":{"name":{"givenName":"B"}}}]`, `{"name":{"givenName":"B","familyName":"L"}}`},
		"extension set to null":        {base, `[{"op":"replace","value":{"` + ent + `":null}}]`, `{"` + ent + `":null}`},
		"attributes under the core":    {base, `[{"op":"replace","value":{"` + scim.UserURN + `":{"title":"N"}}}]`, `{"title":"N"}`},
		"the key of an unknown in one": {base, `[{"op":"replace","value":{"` + ent + `":{"urn:a:b":1,"x":2}}}]`, `{}`},
	} {
		t.Run(name, tc.run)
	}
}

func TestPatchMultiValues(t *testing.T) {
	const home = `{"type":"home","value":"h"}`
	const work = `{"type":"work","value":"w","primary":true}`
	for name, tc := range map[string]patchCase{
		"add one":                        {base, `[{"op":"add","path":"emails","value":[{"value":"n"}]}]`, `{"emails":[` + work + `,` + home + `,{"value":"n"}]}`},
		"add an object":                  {base, `[{"op":"add","path":"emails","value":{"value":"n"}}]`, `{"emails":[` + work + `,` + home + `,{"value":"n"}]}`},
		"add a text":                     {base, `[{"op":"add","path":"emails","value":"n"}]`, `{"emails":[` + work + `,` + home + `,{"value":"n"}]}`},
		"add what is there":              {base, `[{"op":"add","path":"emails","value":[` + home + `]}]`, `{}`},
		"add part of what is there":      {base, `[{"op":"add","path":"emails","value":[{"value":"h"}]}]`, `{}`},
		"add more to what is there":      {base, `[{"op":"add","path":"emails","value":[{"type":"home","value":"h","display":"H"}]}]`, `{"emails":[` + work + `,{"type":"home","value":"h","display":"H"}]}`},
		"add one twice":                  {bare, `[{"op":"add","path":"emails","value":["n","n"]}]`, `{"emails":[{"value":"n"}]}`},
		"add a new primary":              {base, `[{"op":"add","path":"emails","value":[{"value":"n","primary":true}]}]`, `{"emails":[{"type":"work","value":"w","primary":false},` + home + `,{"value":"n","primary":true}]}`},
		"make another one primary":       {base, `[{"op":"replace","path":"emails[type eq \"home\"].primary","value":"True"}]`, `{"emails":[{"type":"work","value":"w","primary":false},{"type":"home","value":"h","primary":true}]}`},
		"replace all":                    {base, `[{"op":"replace","path":"emails","value":[{"value":"n"}]}]`, `{"emails":[{"value":"n"}]}`},
		"replace by none":                {base, `[{"op":"replace","path":"emails","value":[]}]`, `{"emails":null}`},
		"replace by null":                {base, `[{"op":"replace","path":"emails","value":null}]`, `{"emails":null}`},
		"remove all":                     {base, `[{"op":"remove","path":"emails"}]`, `{"emails":null}`},
		"remove those given":             {base, `[{"op":"Remove","path":"emails","value":[{"value":"w"}]}]`, `{"emails":[` + home + `]}`},
		"remove none":                    {base, `[{"op":"Remove","path":"emails","value":[]}]`, `{}`},
		"remove by filter":               {base, `[{"op":"remove","path":"emails[type eq \"home\"]"}]`, `{"emails":[` + work + `]}`},
		"remove by filter, none matches": {base, `[{"op":"remove","path":"emails[type eq \"other\"]"}]`, `{}`},
		"remove a sub-attribute":         {base, `[{"op":"remove","path":"emails[type eq \"work\"].primary"}]`, `{"emails":[{"type":"work","value":"w"},` + home + `]}`},
		"remove the value of one":        {base, `[{"op":"remove","path":"emails[type eq \"work\"].value"}]`, `{"emails":[` + home + `]}`},
		"clear the value of one":         {base, `[{"op":"Replace","path":"emails[type eq \"work\"].value","value":""}]`, `{"emails":[` + home + `]}`},
		"clear the value of none":        {bare, `[{"op":"Replace","path":"emails[type eq \"work\"].value","value":""}]`, `{}`},
		"replace one's value":            {base, `[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"n"}]`, `{"emails":[{"type":"work","value":"n","primary":true},` + home + `]}`},
		"type in another case":           {base, `[{"op":"Replace","path":"emails[Type EQ \"WORK\"].Value","value":"n"}]`, `{"emails":[{"type":"work","value":"n","primary":true},` + home + `]}`},
		"replace one":                    {base, `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"type":"home","value":"n"}}]`, `{"emails":[` + work + `,{"type":"home","value":"n"}]}`},
		"replace one by a text":          {base, `[{"op":"replace","path":"emails[type eq \"home\"]","value":"n"}]`, `{"emails":[` + work + `,{"type":"home","value":"n"}]}`},
		"replace one by null":            {base, `[{"op":"replace","path":"emails[type eq \"home\"]","value":null}]`, `{"emails":[` + work + `]}`},
		"add to one":                     {base, `[{"op":"add","path":"emails[type eq \"home\"]","value":{"display":"H"}}]`, `{"emails":[` + work + `,{"type":"home","value":"h","display":"H"}]}`},
		"Add makes a missing one":        {bare, `[{"op":"Add","path":"emails[type eq \"work\"].value","value":"n"}]`, `{"emails":[{"type":"work","value":"n"}]}`},
		"replace of no value at all":     {bare, `[{"op":"replace","path":"phoneNumbers[type eq \"work\"]","value":{"value":"1"}}]`, `{"phoneNumbers":[{"type":"work","value":"1"}]}`},
		"replace of a part of no value":  {bare, `[{"op":"replace","path":"addresses[type eq \"work\"].country","value":"AT"}]`, `{"addresses":[{"country":"AT","type":"work"}]}`},
		"Replace makes a missing one":    {bare, `[{"op":"Replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}]`, `{"phoneNumbers":[{"type":"mobile","value":"1"}]}`},
		"a list of one makes one":        {bare, `[{"op":"Add","path":"emails[type eq \"work\"].value","value":[{"$ref":null,"value":"n"}]}]`, `{"emails":[{"type":"work","value":"n"}]}`},
		"an object makes one":            {bare, `[{"op":"Add","path":"emails[type eq \"work\"]","value":{"value":"n","primary":true}}]`, `{"emails":[{"type":"work","value":"n","primary":true}]}`},
		"Replace as Entra means it":      {bare, `[{"op":"Replace","path":"emails[type eq \"work\"]","value":{"value":"n"}}]`, `{"emails":[{"type":"work","value":"n"}]}`},
		"a key makes a missing one":      {bare, `[{"op":"replace","value":{"emails[type eq \"work\"].value":"n"}}]`, `{"emails":[{"type":"work","value":"n"}]}`},
		"two made primary, the last is":  {bare, `[{"op":"add","path":"emails","value":[{"value":"x","primary":true},{"value":"y","primary":true}]}]`, `{"emails":[{"value":"x","primary":false},{"value":"y","primary":true}]}`},
		"two filters make one":           {bare, `[{"op":"Add","path":"addresses[type eq \"work\" and primary eq true].country","value":"AT"}]`, `{"addresses":[{"type":"work","primary":true,"country":"AT"}]}`},
		"primary in quotes makes one":    {bare, `[{"op":"Add","path":"roles[primary eq \"True\"].value","value":"r"}]`, `{"roles":[{"primary":true,"value":"r"}]}`},
		"address parts, one by one":      {bare, `[{"op":"Add","path":"addresses[type eq \"work\"].streetAddress","value":"S"},{"op":"Add","path":"addresses[type eq \"work\"].country","value":"AT"}]`, `{"addresses":[{"type":"work","streetAddress":"S","country":"AT"}]}`},
		"add by value makes one":         {base, `[{"op":"add","path":"emails[value eq \"n\"].type","value":"other"}]`, `{"emails":[` + work + `,` + home + `,{"type":"other","value":"n"}]}`},
		"a part of all":                  {base, `[{"op":"replace","path":"emails.type","value":"other"}]`, `{"emails":[{"type":"other","value":"w","primary":true},{"type":"other","value":"h"}]}`},
		"a part of none":                 {bare, `[{"op":"add","path":"emails.value","value":"n"}]`, `{"emails":[{"value":"n"}]}`},
		"an unknown part":                {base, `[{"op":"replace","path":"emails[type eq \"work\"].shoe","value":"n"}]`, `{}`},
		"a made one is primary alone":    {base, `[{"op":"Add","path":"emails[type eq \"other\" and primary eq true].value","value":"n"}]`, `{"emails":[{"type":"work","value":"w","primary":false},` + home + `,{"type":"other","primary":true,"value":"n"}]}`},
		"brackets in a string":           {bare, `[{"op":"Add","path":"emails[type eq \"a]\\\"[\"].value","value":"n"}]`, `{"emails":[{"type":"a]\"[","value":"n"}]}`},
	} {
		t.Run(name, tc.run)
	}
}

func TestPatchSimpleMultiValues(t *testing.T) {
	custom := &scim.Schema{ID: "urn:acme:2.0:User", Attributes: []scim.Attribute{{Name: "tags", Type: scim.String, MultiValued: true}}}
	kind := scim.NewUserType(custom)
	for ops, want := range map[string]string{
		`{"op":"add","path":"urn:acme:2.0:User:tags","value":["b","c"]}`:                    `["a","b","c"]`,
		`{"op":"add","path":"urn:acme:2.0:User:tags","value":"c"}`:                          `["a","b","c"]`,
		`{"op":"replace","path":"urn:acme:2.0:User:tags","value":["c"]}`:                    `["c"]`,
		`{"op":"remove","path":"urn:acme:2.0:User:tags","value":["a"]}`:                     `["b"]`,
		`{"op":"remove","path":"urn:acme:2.0:User:tags[value eq \"a\"]"}`:                   `["b"]`,
		`{"op":"replace","path":"urn:acme:2.0:User:tags[value eq \"a\"]","value":"z"}`:      `["z","b"]`,
		`{"op":"add","path":"urn:acme:2.0:User:tags[value eq \"c\"]","value":"c"}`:          `["a","b","c"]`,
		`{"op":"add","path":"urn:acme:2.0:User:tags.value","value":"c"}`:                    `["a","b","c"]`,
		`{"op":"add","value":{"urn:acme:2.0:User:tags":["c"]}}`:                             `["a","b","c"]`,
		`{"op":"remove","path":"urn:acme:2.0:User:tags[value eq \"x\" or value sw \"b\"]"}`: `["a"]`,
	} {
		parsed, err := scim.ParsePatch([]byte(`{"Operations":[` + ops + `]}`))
		check(t, err, "")
		r := scim.Resource{"userName": "a", custom.ID: map[string]any{"tags": []any{"a", "b"}}}
		got, _, err := scim.ApplyPatch(kind, r, parsed)
		check(t, err, "")
		if want := `{"urn:acme:2.0:User":{"tags":` + want + `},"userName":"a"}`; asJSON(t, got) != want {
			t.Errorf("%s: %s, want %s", ops, asJSON(t, got), want)
		}
	}
}

func TestPatchRefused(t *testing.T) {
	for name, tc := range map[string]struct{ ops, scimType string }{
		"no operations":                {`[]`, "invalidSyntax"},
		"operations of no sense":       {`"x"`, "invalidSyntax"},
		"an operation of no sense":     {`["x"]`, "invalidSyntax"},
		"no op":                        {`[{"path":"title","value":"x"}]`, "invalidSyntax"},
		"an unknown op":                {`[{"op":"move","path":"title","value":"x"}]`, "invalidSyntax"},
		"a path of no sense":           {`[{"op":"add","path":5,"value":"x"}]`, "invalidPath"},
		"add without a value":          {`[{"op":"add","path":"title"}]`, "invalidValue"},
		"remove without a path":        {`[{"op":"remove"}]`, "noTarget"},
		"remove of the whole schema":   {`[{"op":"remove","path":"` + scim.UserURN + `"}]`, "noTarget"},
		"a text without a path":        {`[{"op":"add","value":"x"}]`, "invalidValue"},
		"an id as a path":              {`[{"op":"replace","path":"id","value":"x"}]`, "mutability"},
		"meta as a path":               {`[{"op":"replace","path":"meta.created","value":"x"}]`, "mutability"},
		"groups as a path":             {`[{"op":"add","path":"groups","value":[{"value":"g"}]}]`, "mutability"},
		"groups removed":               {`[{"op":"remove","path":"groups[value eq \"g\"]"}]`, "mutability"},
		"manager's name":               {`[{"op":"add","path":"` + ent + `:manager.displayName","value":"x"}]`, "mutability"},
		"userName removed":             {`[{"op":"remove","path":"userName"}]`, "mutability"},
		"userName cleared":             {`[{"op":"replace","path":"userName","value":""}]`, "invalidValue"},
		"userName made blank":          {`[{"op":"replace","path":"userName","value":" "}]`, "invalidValue"},
		"userName cleared, no path":    {`[{"op":"replace","value":{"userName":null}}]`, "invalidValue"},
		"a bad path":                   {`[{"op":"add","path":"a b","value":"x"}]`, "invalidPath"},
		"a path with no bracket":       {`[{"op":"add","path":"emails[type eq \"work\"","value":"x"}]`, "invalidPath"},
		"a path with a bad tail":       {`[{"op":"add","path":"emails[type eq \"work\"]value","value":"x"}]`, "invalidPath"},
		"a path with a bad filter":     {`[{"op":"add","path":"emails[type is \"work\"].value","value":"x"}]`, "invalidFilter"},
		"a filter on a single value":   {`[{"op":"add","path":"name[givenName eq \"Ada\"].familyName","value":"x"}]`, "invalidPath"},
		"the same, removed":            {`[{"op":"remove","path":"name[givenName eq \"Ada\"].familyName"}]`, "invalidPath"},
		"a filter on a sub-attribute":  {`[{"op":"add","path":"emails.value[type pr]","value":"x"}]`, "invalidPath"},
		"a filter on a schema":         {`[{"op":"remove","path":"` + ent + `[x pr]"}]`, "invalidPath"},
		"a path that is too long":      {`[{"op":"remove","path":"` + strings.Repeat("x", 9000) + `"}]`, "invalidPath"},
		"replace of no match":          {`[{"op":"replace","path":"emails[value eq \"x\"].type","value":"work"}]`, "noTarget"},
		"replace of no such type":      {`[{"op":"replace","path":"emails[type eq \"other\"].value","value":"x"}]`, "noTarget"},
		"replace of no value by value": {`[{"op":"replace","path":"phoneNumbers[value eq \"y\"]","value":{"value":"x"}}]`, "noTarget"},
		"clearing of no such type":     {`[{"op":"replace","path":"emails[type eq \"other\"].value","value":""}]`, "noTarget"},
		"Replace by a missing value":   {`[{"op":"Replace","path":"emails[value eq \"x\"].type","value":"work"}]`, "noTarget"},
		"no match, not plain equality": {`[{"op":"add","path":"emails[type sw \"x\"].value","value":"y"}]`, "noTarget"},
		"two values for one":           {`[{"op":"add","path":"title","value":["a","b"]}]`, "invalidValue"},
		"an object for a text":         {`[{"op":"add","path":"title","value":{"a":1}}]`, "invalidValue"},
		"active of no sense":           {`[{"op":"replace","path":"active","value":"yes"}]`, "invalidValue"},
		"name a text":                  {`[{"op":"replace","path":"name","value":"Ada"}]`, "invalidValue"},
		"an extension a text":          {`[{"op":"replace","path":"` + ent + `","value":"x"}]`, "invalidValue"},
		"the second of two":            {`[{"op":"replace","path":"title","value":"x"},{"op":"remove","path":"userName"}]`, "mutability"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after, changed, err := patch(t, base, tc.ops)
			check(t, err, tc.scimType)
			if after != nil || changed {
				t.Errorf("changed: %t, %s", changed, asJSON(t, after))
			}
			if asJSON(t, before) != asJSON(t, decodeRaw(t, base)) {
				t.Errorf("the input became %s", asJSON(t, before))
			}
		})
	}
}

func TestPatchBodyIsTolerant(t *testing.T) {
	for name, body := range map[string]string{
		"Entra":        `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"title","value":"x"}]}`,
		"no schemas":   `{"Operations":[{"op":"add","path":"title","value":"x"}]}`,
		"small letter": `{"operations":[{"op":"ADD","path":" title ","value":"x"}]}`,
		"one object":   `{"Operations":{"op":"add","path":"title","value":"x"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			ops, err := scim.ParsePatch([]byte(body))
			check(t, err, "")
			if want := []scim.Operation{{Op: scim.Add, Path: "title", Value: "x", HasValue: true}}; fmt.Sprint(ops) != fmt.Sprint(want) {
				t.Errorf("operations %v", ops)
			}
		})
	}
}

func TestPatchBodyRefused(t *testing.T) {
	for body, scimType := range map[string]string{
		``:                    "invalidSyntax",
		`[]`:                  "invalidSyntax",
		`{}`:                  "invalidSyntax",
		`{"Operations":null}`: "invalidSyntax",
		`{"Operations":[]}`:   "invalidSyntax",
		`{"Operations":[{"op":"add","path":"title","value":"\u0000"}]}`: "invalidValue",
	} {
		_, err := scim.ParsePatch([]byte(body))
		check(t, err, scimType)
	}
}

func TestPatchBoundsItsWork(t *testing.T) {
	ops := make([]scim.Operation, scim.MaxOperations+1)
	for i := range ops {
		ops[i] = scim.Operation{Op: scim.Add, Path: "title", Value: "x", HasValue: true}
	}
	_, _, err := scim.ApplyPatch(scim.NewUserType(), scim.Resource{"userName": "a"}, ops)
	check(t, err, "invalidSyntax")
	for i := range ops {
		ops[i] = scim.Operation{Op: scim.Add, Path: "emails", Value: fmt.Sprint(i), HasValue: true}
	}
	_, _, err = scim.ApplyPatch(scim.NewUserType(), scim.Resource{"userName": "a"}, ops[:scim.MaxOperations])
	check(t, err, "invalidValue")
}

func TestPatchComparesBoundedly(t *testing.T) {
	values := make([]any, scim.MaxValues)
	for i := range values {
		values[i] = map[string]any{"formatted": fmt.Sprint(i, strings.Repeat("x", 500))}
	}
	resource := scim.Resource{"userName": "a", "addresses": values}
	filter := `addresses[formatted co "y"` + strings.Repeat(` or formatted co "y"`, 100) + `]`
	given := []any{map[string]any{"formatted": "y"}, map[string]any{"formatted": "z"}}
	// Some 64 MB may be compared, and all values are a good quarter of one.
	for name, tc := range map[string]struct {
		op    scim.Operation
		times map[int]string // how often it is done, to the error
	}{
		"adds what is there":    {scim.Operation{Op: scim.Add, Path: "addresses", Value: values, HasValue: true}, map[int]string{1: "invalidValue"}},
		"removes by filter":     {scim.Operation{Op: scim.Remove, Path: filter}, map[int]string{2: "", 3: "invalidValue"}},
		"adds by filter":        {scim.Operation{Op: scim.Add, Path: filter + ".country", Value: "AT", HasValue: true}, map[int]string{1: "noTarget"}},
		"removes what it names": {scim.Operation{Op: scim.Remove, Path: "addresses", Value: given, HasValue: true}, map[int]string{100: "", 1000: "invalidValue"}},
	} {
		t.Run(name, func(t *testing.T) {
			for n, scimType := range tc.times {
				_, _, err := scim.ApplyPatch(scim.NewUserType(), resource, slices.Repeat([]scim.Operation{tc.op}, n))
				check(t, err, scimType)
			}
		})
	}
}

func TestPatchKeepsNumbersFromAStore(t *testing.T) {
	custom := &scim.Schema{ID: "urn:acme:2.0:User", Attributes: []scim.Attribute{{Name: "level", Type: scim.Integer}}}
	r := scim.Resource{"userName": "a", custom.ID: map[string]any{"level": float64(7)}}
	ops := []scim.Operation{{Op: scim.Replace, Path: custom.ID + ":level", Value: "7", HasValue: true}}
	_, changed, err := scim.ApplyPatch(scim.NewUserType(custom), r, ops)
	check(t, err, "")
	if changed {
		t.Error("7 is another number than 7")
	}
}
