package entra

import (
	"context"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/rosterd/rosterd/connectors"
)

// graphSchema is Graph's account of how a job maps (Graph documentation, "synchronizationSchema resource type").
type graphSchema struct {
	Rules []struct { // "synchronizationRule resource type"
		ID       string               `json:"id"`
		Mappings []graphObjectMapping `json:"objectMappings"`
	} `json:"synchronizationRules"`
}

// graphObjectMapping follows "objectMapping resource type".
type graphObjectMapping struct {
	Enabled    *bool                   `json:"enabled"`
	Flows      *string                 `json:"flowTypes"`
	Name       string                  `json:"name"`
	Source     string                  `json:"sourceObjectName"`
	Target     string                  `json:"targetObjectName"`
	Attributes []graphAttributeMapping `json:"attributeMappings"`
	Scope      *struct {               // "filter resource type"
		Groups []struct { // "filterGroup resource type"
			Name    string `json:"name"`
			Clauses []struct {
				Operator string    `json:"operatorName"`
				Source   string    `json:"sourceOperandName"`
				Target   *struct { // "filterOperand resource type"
					Values []string `json:"values"`
				} `json:"targetOperand"`
			} `json:"clauses"`
		} `json:"groups"`
	} `json:"scope"`
}

// graphAttributeMapping follows "attributeMapping resource type".
type graphAttributeMapping struct {
	Default  string    `json:"defaultValue"`
	FlowType string    `json:"flowType"`
	Matching int       `json:"matchingPriority"`
	Target   string    `json:"targetAttributeName"`
	Source   *struct { // "attributeMappingSource resource type"
		Expression string `json:"expression"`
		Name       string `json:"name"`
		Type       string `json:"type"`
	} `json:"source"`
}

// JobSchema reads how a provisioning job maps and scopes what it pushes (Graph documentation, "Get
// synchronizationSchema"). It needs Synchronization.Read.All.
func (c *Connector) JobSchema(ctx context.Context, jobID string) (*connectors.JobSchema, error) {
	if jobID == "" {
		return nil, &connectors.Error{Fault: connectors.NotFound, Message: "The application has no provisioning job"}
	}
	ctx = c.budgeted(ctx)
	a := ask{what: "the schema of the provisioning job", grant: readJobs}
	found, err := readRaw[graphSchema](ctx, c, a, func() (*abs.RequestInformation, error) {
		return c.jobsBuilder().BySynchronizationJobId(jobID).Schema().ToGetRequestInformation(ctx, nil)
	})
	if err != nil {
		return nil, err
	}
	out := &connectors.JobSchema{}
	for _, rule := range found.Rules {
		for i := range rule.Mappings {
			out.Objects = append(out.Objects, rule.Mappings[i].object(rule.ID))
		}
	}
	return out, nil
}

func (m *graphObjectMapping) object(rule string) connectors.JobObject {
	out := connectors.JobObject{
		RuleID: rule, Name: m.Name, Source: m.Source, Target: m.Target, Enabled: m.Enabled == nil || *m.Enabled,
		Kind: connectors.JobOther, Scope: m.scope(),
	}
	switch {
	case strings.EqualFold(m.Source, "User"):
		out.Kind = connectors.JobUsers
	case strings.EqualFold(m.Source, "Group"):
		out.Kind = connectors.JobGroups
	}
	flows := "Add, Update, Delete"
	if m.Flows != nil {
		flows = *m.Flows
	}
	for flow := range strings.SplitSeq(flows, ",") {
		switch strings.TrimSpace(flow) {
		case "Add":
			out.Creates = true
		case "Update":
			out.Updates = true
		case "Delete":
			out.Deletes = true
		}
	}
	for i := range m.Attributes {
		if m.Attributes[i].Target != "" {
			out.Attributes = append(out.Attributes, m.Attributes[i].attribute())
		}
	}
	return out
}

func (m *graphAttributeMapping) attribute() connectors.JobAttribute {
	out := connectors.JobAttribute{
		Target: m.Target, Default: m.Default, Matching: m.Matching, OnCreate: m.FlowType == "ObjectAddOnly",
		Type: connectors.JobFromAttribute,
	}
	if s := m.Source; s != nil {
		out.Source, out.Expression = s.Name, s.Expression
		switch s.Type {
		case "Constant":
			out.Type = connectors.JobFromConstant
		case "Function":
			out.Type = connectors.JobFromFunction
		}
	}
	return out
}

// scope reads the filter that is in use ("filter resource type": groups; the two others are experimental). A group
// without clauses lets everybody in, and so does the filter then.
func (m *graphObjectMapping) scope() []connectors.JobScope {
	if m.Scope == nil {
		return nil
	}
	var out []connectors.JobScope
	for _, g := range m.Scope.Groups {
		s := connectors.JobScope{Name: g.Name}
		for _, c := range g.Clauses {
			clause := connectors.JobClause{Attribute: c.Source, Operator: c.Operator}
			if c.Target != nil {
				clause.Values = c.Target.Values
			}
			s.Clauses = append(s.Clauses, clause)
		}
		if len(s.Clauses) == 0 {
			return nil
		}
		out = append(out, s)
	}
	return out
}
