package config

import (
	"time"

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
		entry := s.doc.section(node, "the connection", "organisation", "name", "kind", "schedule", "entra", "okta", "policy")
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
	c := Connection{Line: s.line, Policy: Policy{AdoptLocal: AdoptNever, Settle: DefaultSettle}}
	s.required("organisation", &c.Organisation, "default", checkOrganisation)
	s.required("name", &c.Name, "entra", checkName)
	if c.Name != "" {
		s.name = "connection " + c.Name
	}
	s.readKind(&c)
	if v, ok := s.get("schedule"); ok {
		c.Schedule = readSchedule(s.doc.section(v.node, "the schedule of "+s.name, "delta", "full", "timezone", "jitter"), s.name)
		if c.Kind == KindSCIM {
			s.doc.problemf(v.line, "schedule is for connections that rosterd pulls from, and kind scim is push only: take it out")
		}
	}
	if v, ok := s.get("policy"); ok {
		c.Policy.read(s.doc.section(v.node, "the policy of "+s.name, "adopt_local", "settle"))
	}
	return c
}

// readKind reads the kind and the settings that go with it, and refuses those of another kind.
func (s *section) readKind(c *Connection) {
	entra, hasEntra := s.get("entra")
	okta, hasOkta := s.get("okta")
	kind, line, ok := s.text("kind")
	if _, set := s.get("kind"); !set {
		s.missing("kind", "entra or okta (or scim, for push only)")
	}
	if hasEntra {
		c.Entra = readEntra(s.doc.section(entra.node, "the entra settings of "+s.name,
			"tenant_id", "client_id", "client_secret", "service_principal_id", "graph_url", "access_token"))
	}
	if hasOkta {
		c.Okta = readOkta(s.doc.section(okta.node, "the okta settings of "+s.name, "org_url", "app_id", "api_token", "teams", "suspended"))
	}
	if !ok {
		return
	}
	c.Kind = Kind(kind)
	switch c.Kind {
	case KindEntra:
		if !hasEntra {
			s.missing("entra", "{ tenant_id: ..., client_id: ..., client_secret: ..., service_principal_id: ... }")
		}
	case KindOkta:
		if !hasOkta {
			s.missing("okta", "{ org_url: ..., app_id: ..., api_token: ... }")
		}
	case KindSCIM:
	default:
		s.doc.problemf(line, "kind %q is not known: write entra, okta, or scim for push only", kind)
		return
	}
	if hasEntra && c.Kind != KindEntra {
		s.doc.problemf(entra.line, "entra settings belong to kind entra, and this is kind %s: take them out", kind)
	}
	if hasOkta && c.Kind != KindOkta {
		s.doc.problemf(okta.line, "okta settings belong to kind okta, and this is kind %s: take them out", kind)
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
	token, hasToken := s.get("access_token")
	_, hasSecret := s.get("client_secret")
	s.secretOrLiteral("access_token", &e.AccessToken)
	s.secret("client_secret", "ENTRA_CLIENT_SECRET", &e.ClientSecret)
	if !hasToken {
		s.required("client_id", &e.ClientID, exampleGUID, checkGUID)
		if !hasSecret {
			s.missing("client_secret", "${env:ENTRA_CLIENT_SECRET}")
		}
		return e
	}
	s.checked("client_id", &e.ClientID, checkGUID)
	if hasSecret {
		s.doc.problemf(token.line, "access_token stands in for client_secret: keep one of the two")
	}
	if !plainLoopback(e.GraphURL) {
		s.doc.problemf(token.line, "access_token works only with a graph_url that is plain http on a loopback address: write client_id and client_secret instead")
	}
	return e
}

func readOkta(s *section) *Okta {
	o := &Okta{Teams: TeamsPush, Suspended: SuspendedOff}
	if s == nil {
		return o
	}
	s.required("org_url", &o.OrgURL, "https://acme.okta.com", checkOktaURL)
	s.required("app_id", &o.AppID, "0oa1b2c3d4", checkOktaID)
	if _, ok := s.get("api_token"); !ok {
		s.missing("api_token", "${env:OKTA_API_TOKEN}")
	}
	s.secret("api_token", "OKTA_API_TOKEN", &o.APIToken)
	s.checked("teams", &o.Teams, oneOf(TeamsPush, TeamsAssigned, TeamsLinked))
	s.checked("suspended", &o.Suspended, oneOf(SuspendedOff, SuspendedKeep))
	return o
}

func (p *Policy) read(s *section) {
	if s == nil {
		return
	}
	adopt := string(p.AdoptLocal)
	s.checked("adopt_local", &adopt, checkAdoptLocal)
	p.AdoptLocal = AdoptLocal(adopt)
	settle := p.Settle.String()
	s.checked("settle", &settle, checkSettle)
	if d, err := time.ParseDuration(settle); err == nil {
		p.Settle = d
	}
}
