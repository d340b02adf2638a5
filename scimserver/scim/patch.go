package scim

import "strings"

// PatchURN is the schema of a PATCH body (RFC 7644, section 3.5.2).
const PatchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// MaxOperations bounds one PATCH of a user. One of a group is bounded by the size of its body only.
const MaxOperations = 1_000

// Op is what a PATCH operation does, in lower case.
type Op string

// The operations of RFC 7644, section 3.5.2.
const (
	Add     Op = "add"
	Remove  Op = "remove"
	Replace Op = "replace"
)

// Operation is one operation of a PATCH. Its path is read when it is applied to a resource type.
type Operation struct {
	Op       Op
	Path     string // empty where there is none
	Value    any    // decoded JSON, with numbers as json.Number
	HasValue bool   // tells null from nothing
	// Makes says that a replace whose filter selects none of the values makes the one that the filter asks for, as Entra
	// means it. By the RFC it fails with noTarget, unless there are no values at all (section 3.5.2.3).
	Makes bool
}

// ParsePatch reads a PATCH body (RFC 7644, section 3.5.2). Names and operations are taken in any case; "schemas" may
// be missing; a single operation needs no list. An operation in capitals is Entra's, which means replace as Makes says.
func ParsePatch(body []byte) ([]Operation, error) {
	obj, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	v, ok := member(obj, "Operations")
	if !ok {
		return nil, InvalidSyntax("a PATCH needs Operations")
	}
	list, ok := v.([]any)
	if single, isObject := v.(map[string]any); isObject {
		list, ok = []any{single}, true
	}
	if !ok || len(list) == 0 {
		return nil, InvalidSyntax("Operations must be a list with at least one operation")
	}
	out := make([]Operation, len(list))
	for i, e := range list {
		if out[i], err = parseOperation(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseOperation(v any) (Operation, error) {
	obj, ok := v.(map[string]any)
	if !ok {
		return Operation{}, InvalidSyntax("an operation must be an object, not %s", kindOf(v))
	}
	var out Operation
	given, _ := member(obj, "op")
	name, _ := given.(string)
	name = strings.TrimSpace(name)
	switch out.Op = Op(strings.ToLower(name)); out.Op {
	case Add, Remove, Replace:
		out.Makes = out.Op == Replace && string(out.Op) != name
	default:
		return out, InvalidSyntax("op must be add, remove or replace, not %s", describe(given))
	}
	if path, _ := member(obj, "path"); path != nil {
		if out.Path, ok = path.(string); !ok {
			return out, InvalidPath("path must be a string, not %s", kindOf(path))
		}
		out.Path = strings.TrimSpace(out.Path)
	}
	out.Value, out.HasValue = member(obj, "value")
	if out.Op != Remove && !out.HasValue {
		return out, InvalidValue("%s needs a value", out.Op)
	}
	if out.Op == Remove && out.Path == "" {
		return out, NoTarget("remove needs a path")
	}
	return out, nil
}

// ApplyPatch applies the operations to a copy of the resource, all or none, and reports whether it differs from the
// original (RFC 7644, section 3.5.2). Beyond the RFC:
//
//   - unknown attributes and extensions are ignored, in a path as in a value without one; passwords too;
//   - a value without a path may have dotted, URN-qualified and value-path keys, and read-only ones, which are ignored;
//     as an explicit path a read-only attribute is refused with "mutability";
//   - a list of one, or {"value": x}, stands for a single value; booleans may come in quotes; null and "" clear;
//   - add on a value filter of plain equalities makes the value when none matches, and so does a replace where there are
//     no values, that Makes, or whose filter stands in the key of a value without a path; otherwise it is noTarget;
//   - remove with values takes out those only; remove of what isn't there is no failure;
//   - a value of which only labels (type, primary) are left is dropped.
//
// An immutable attribute takes a first value and no other: that is refused with "mutability".
// An attribute that was removed is absent from the result, "active" too. For groups see ParseGroupEdit.
func ApplyPatch(t *ResourceType, r Resource, ops []Operation) (Resource, bool, error) {
	if len(ops) > MaxOperations {
		return nil, false, InvalidSyntax("more than %d operations", MaxOperations)
	}
	e := editor{t: t, r: r.Clone(), c: coercer{unwrap: true}}
	for _, op := range ops {
		if err := e.operation(op); err != nil {
			return nil, false, err
		}
	}
	e.prune()
	if err := Validate(t, e.r); err != nil {
		return nil, false, err
	}
	if err := checkImmutable(t, r, e.r); err != nil {
		return nil, false, err
	}
	return e.r, !e.r.Equal(r), nil
}

func (e *editor) operation(op Operation) error {
	g, err := operationTarget(e.t, op)
	switch {
	case err != nil:
		return err
	case g == nil:
		obj, ok := op.Value.(map[string]any)
		if !ok {
			return InvalidValue("%s without a path needs an object as its value, not %s", op.Op, kindOf(op.Value))
		}
		return e.object(op.Op, obj)
	case !g.Path.Known() || hasMutability(g.Path, WriteOnly) || g.Path.Attr == "schemas":
		return nil
	case hasMutability(g.Path, ReadOnly):
		return Mutability("%s is read-only", g.Path)
	case op.Op == Remove:
		return e.remove(*g, op.Value)
	}
	e.strict = op.Op == Replace && !op.Makes
	defer func() { e.strict = false }()
	return e.set(op.Op, *g, op.Value)
}

// operationTarget returns nil for an operation on the resource itself: without a path, or with the URN of its schema.
func operationTarget(t *ResourceType, op Operation) (*Target, error) {
	if op.Path == "" {
		if op.Op == Remove {
			return nil, NoTarget("remove needs a path")
		}
		return nil, nil
	}
	g, err := ParsePath(t, op.Path)
	if err != nil {
		return nil, err
	}
	if g.Path.Attr == "" && !g.Path.extension {
		if op.Op == Remove {
			return nil, NoTarget("remove needs the path of an attribute")
		}
		return nil, nil
	}
	return &g, nil
}
