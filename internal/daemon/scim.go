package daemon

import (
	"fmt"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// ownSchemas makes the schemas that organisations add to the SCIM User, by the organisations' names.
func ownSchemas(organisations []config.Organisation) (map[string][]*scim.Schema, error) {
	out := map[string][]*scim.Schema{}
	for _, o := range organisations {
		if o.SCIM == nil {
			continue
		}
		schema, err := scim.NewExtension(o.SCIM.URN, "", "Attributes of "+o.Name, ownAttributes(o.SCIM.Attributes))
		if err != nil {
			return nil, fmt.Errorf("the configuration's organisation %s, line %d: %w", o.Name, o.Line, err)
		}
		out[o.Name] = []*scim.Schema{schema}
	}
	return out, nil
}

func ownAttributes(list []config.OwnAttribute) []scim.Attribute {
	var out []scim.Attribute
	for _, a := range list {
		out = append(out, scim.Attribute{
			Name: a.Name, Type: scim.Type(a.Type), Description: a.Description, MultiValued: a.MultiValued, CaseExact: a.CaseExact,
			Mutability: scim.Mutable(a.Mutability), Returned: scim.Returned(a.Returned), CanonicalValues: a.CanonicalValues,
			SubAttributes: ownAttributes(a.SubAttributes),
		})
	}
	return out
}
