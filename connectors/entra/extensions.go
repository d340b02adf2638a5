package entra

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

// isExtension reports whether a name is that of a directory extension, extension_{appId}_{name}, or of one property of a
// schema extension, {id}.{name} (Graph documentation, "Add custom data to resources by using extensions"). Graph gives both
// only where they are selected; a name that no application has registered it refuses, with its own words.
func isExtension(name string) bool {
	return regexp.MustCompile(`^(extension_[0-9A-Fa-f]{32}_[A-Za-z0-9_]+|[A-Za-z][A-Za-z0-9]*_[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9_]*)$`).MatchString(name)
}

// extension reads what the SDK has no field for.
func extension(name string) userField {
	top, inner, within := strings.Cut(name, ".")
	return userField{name, func(u models.Userable) *string {
		v := u.GetAdditionalData()[top]
		if within {
			values, _ := v.(map[string]any)
			v = values[inner]
		}
		return extensionText(v)
	}}
}

// extensionText is a value as text; nil: there is none, or it is an object. Extensions hold texts, numbers, booleans and
// dates, and directory extensions lists of them too (Graph documentation, "extensionProperty resource type").
func extensionText(v any) *string {
	out := ""
	switch v := v.(type) {
	case *string:
		return v
	case *bool:
		if v == nil {
			return nil
		}
		out = strconv.FormatBool(*v)
	case *float64:
		if v == nil {
			return nil
		}
		out = strconv.FormatFloat(*v, 'f', -1, 64)
	case []any:
		texts := make([]string, 0, len(v))
		for _, item := range v {
			if s := extensionText(item); s != nil {
				texts = append(texts, *s)
			}
		}
		out = strings.Join(texts, ",")
	default:
		return nil
	}
	return &out
}
