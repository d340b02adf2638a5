package config

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// exampleGUID is what messages suggest for a missing id.
const exampleGUID = "01234567-89ab-cdef-0123-456789abcdef"

func readConnections(s *section) []Connection {
	connections := []Connection{}
	v, ok := s.get("connections")
	if !ok {
		return connections
	}
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		s.doc.problemf(v.line, `connections must be a list: begin each entry with "- organisation: default"`)
		return connections
	}
	first := map[[2]string]int{}
	for _, node := range list.Values {
		entry := s.doc.section(node, "the connection", connectionKeys()...)
		if entry == nil {
			continue
		}
		c := readConnection(entry)
		key := [2]string{c.Organisation, c.Name}
		if line, twice := first[key]; twice && c.Name != "" {
			s.doc.problemf(entry.values["name"].line, "the organisation %s has a connection %q already, in line %d: choose another name",
				c.Organisation, c.Name, line)
		} else {
			first[key] = c.Line
		}
		connections = append(connections, c)
	}
	return connections
}

func readConnection(s *section) Connection {
	c := Connection{Line: s.line, Policy: DefaultPolicy()}
	s.required("organisation", &c.Organisation, "default", checkOrganisation)
	s.required("name", &c.Name, "entra", checkName)
	if c.Name != "" {
		s.name = "connection " + c.Name
	}
	s.readKind(&c)
	s.readMapping(&c)
	s.readMatch(&c)
	s.readWhen(&c)
	if v, ok := s.get("policy"); ok {
		c.Policy.read(s.doc.section(v.node, "the policy of "+s.name, policyKeys()...))
		if c.Policy.RestartQuarantinedJob > 0 && c.Kind != "" && c.Kind != KindEntra {
			s.doc.problemf(v.line, "restart_quarantined_job is for connections of kind entra: take it out")
		}
	}
	return c
}

// readKind reads the kind and the settings that go with it, and refuses those of another kind.
func (s *section) readKind(c *Connection) {
	name, line, ok := s.text("kind")
	if _, set := s.get("kind"); !set {
		s.missing("kind", "entra, okta or scim-source (or scim, for push only)")
	}
	for _, k := range kinds() {
		if v, given := s.get(k.section); given {
			k.read(s.doc.section(v.node, "the "+k.section+" settings of "+s.name, k.keys...), c)
		}
	}
	if !ok {
		return
	}
	c.Kind = Kind(name)
	is, known := kindOf(c.Kind)
	if !known {
		s.doc.problemf(line, "kind %q is not known: write entra, okta, or scim-source; or scim for push only", name)
		return
	}
	if _, given := s.get(is.section); !given && is.section != "" {
		s.missing(is.section, is.example)
	}
	for _, k := range kinds() {
		if v, given := s.get(k.section); given && k.name != c.Kind {
			s.doc.problemf(v.line, "%s settings belong to kind %s, and this is kind %s: take them out, or write kind: %s", k.section, k.name, name, k.name)
		}
	}
}

// readWhen reads the schedule, as far as the kind can follow one.
func (s *section) readWhen(c *Connection) {
	v, ok := s.get("schedule")
	if !ok {
		return
	}
	schedule := s.doc.section(v.node, "the schedule of "+s.name, "delta", "full", "timezone", "jitter", "lifeline", "blackout")
	c.Schedule = readSchedule(schedule, s.name)
	k, known := kindOf(c.Kind)
	switch {
	case !known:
	case !k.pulls():
		s.doc.problemf(v.line, "schedule is for connections that rosterd pulls from, and kind %s is push only: take it out", k.name)
	case c.Schedule.Delta != "" && !k.deltas:
		s.doc.problemf(schedule.values["delta"].line,
			`delta can't be had of kind %s, which tells nobody what has changed: take it out, and write full alone, such as full: "0 * * * *"`, k.name)
	}
}

func readEntra(s *section) *Entra {
	e := &Entra{GraphURL: DefaultGraphURL}
	if s == nil {
		return e
	}
	s.required("tenant_id", &e.TenantID, exampleGUID, checkGUID)
	s.required("service_principal_id", &e.ServicePrincipalID, exampleGUID, checkGUID)
	s.checked("graph_url", &e.GraphURL, checkServiceURL(DefaultGraphURL))
	s.cloud(e)
	s.checked("scope", &e.Scope, oneOf(ScopeJob, ScopeAssigned))
	s.checked("sync", &e.Sync, oneOf(SyncAssigned, SyncAll))
	s.flag("nested_groups", &e.NestedGroups)
	s.entraCredentials(e)
	return e
}

func readOkta(s *section) *Okta {
	o := &Okta{Teams: TeamsPush, Suspended: SuspendedOff}
	if s == nil {
		return o
	}
	s.required("org_url", &o.OrgURL, "https://acme.okta.com", checkOktaURL)
	s.required("app_id", &o.AppID, "0oa1b2c3d4", checkOktaID)
	s.oktaCredentials(o)
	s.checked("teams", &o.Teams, oneOf(TeamsPush, TeamsAssigned, TeamsLinked))
	s.checked("suspended", &o.Suspended, oneOf(SuspendedOff, SuspendedKeep))
	return o
}

func readSCIMSource(s *section) *SCIMSource {
	c := &SCIMSource{}
	if s == nil {
		return c
	}
	const example = "https://scim.example.com/v2"
	s.required("url", &c.URL, example, checkServiceURL(example))
	if _, ok := s.get("token"); !ok {
		s.missing("token", "${env:SCIM_TOKEN}")
	}
	s.secret("token", "SCIM_TOKEN", &c.Token)
	s.checked("users_filter", &c.UsersFilter, checkSCIMFilter)
	s.checked("groups_filter", &c.GroupsFilter, checkSCIMFilter)
	return c
}

// oktaCredentials reads one of the two ways to sign in: an administrator's API token, or the private key of a service
// application.
func (s *section) oktaCredentials(o *Okta) {
	_, hasToken := s.get("api_token")
	key := ""
	for _, k := range []string{"private_key", "client_id", "key_id", "scopes"} { // of what is given the first counts
		if _, ok := s.get(k); ok && key == "" {
			key = k
		}
	}
	s.secret("api_token", "OKTA_API_TOKEN", &o.APIToken)
	if key == "" {
		if !hasToken {
			s.missing("api_token", "${env:OKTA_API_TOKEN}, or client_id and private_key in its place")
		}
		return
	}
	if hasToken {
		s.doc.problemf(s.values[key].line, "%s is for signing in with a private key, and api_token for signing in without: keep one of the two", key)
	}
	s.privateKey("private_key", "OKTA_PRIVATE_KEY", &o.PrivateKey)
	s.checked("key_id", &o.KeyID, checkKeyID)
	s.scopes("scopes", &o.Scopes)
	if hasToken {
		return
	}
	s.required("client_id", &o.ClientID, "0oa1b2c3d4", checkOktaID)
	if _, ok := s.get("private_key"); !ok {
		s.missing("private_key", `"${file:/run/secrets/okta-key.pem}"`)
	}
}

// privateKey is secret for a key in PEM, which is no line of text.
func (s *section) privateKey(key, variable string, into *Secret) {
	s.secret(key, variable, into)
	text := into.Reveal()
	if text == "" || strings.Contains(text, "PRIVATE KEY-----") {
		return
	}
	s.doc.problemf(s.values[key].line, `%s refers to what is no private key in PEM: it begins with "-----BEGIN PRIVATE KEY-----"`, key)
	*into = ""
}

func (s *section) scopes(key string, into *[]string) {
	s.entries(key, "- okta.users.read", func(node ast.Node) {
		text, isText := scalar(node)
		switch {
		case !isText:
			s.doc.problemf(lineOf(node), "each of %s must be text: %s", key, howToQuote(node))
		case !matches(`^okta\.[A-Za-z0-9.]+$`, text):
			s.doc.problemf(lineOf(node), "%s: %q is no scope of Okta's API, such as okta.users.read", key, text)
		case !slices.Contains(*into, text):
			*into = append(*into, text)
		}
	})
}
