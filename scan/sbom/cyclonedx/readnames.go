package cyclonedx

// textMember reads a string into s. An empty one is not what an absent one is.
func (r *reader) textMember(c *component, name string, s *string) error {
	err := r.textTo(s)
	if err == nil && *s == "" {
		c.keep(name, stringNode(""))
	}
	return err
}

func (r *reader) componentType(c *component) error {
	c.hasType = true
	t, err := r.text()
	switch {
	case err != nil:
		return err
	case t == "library":
	case knownType(t, newest):
		c.Type = t
	default:
		r.noteHere("unknown component type " + quote(t) + ", taken for a library")
		c.keep("type", stringNode(t))
	}
	return nil
}

func (r *reader) bomRef(c *component) error {
	ref, err := r.text()
	if err != nil {
		return err
	}
	if ref == "" {
		r.noteHere("an empty bom-ref names nothing")
		c.keep("bom-ref", stringNode(""))
		return nil
	}
	if c.subject {
		c.ID = ref
		return nil
	}
	if r.refs[ref] {
		c.twinOf, c.twinAt = ref, r.pointer()
		r.twins = append(r.twins, c)
		return nil
	}
	if r.refs == nil {
		r.refs = map[string]bool{}
	}
	r.refs[ref] = true
	c.ID = ref
	return nil
}

func (r *reader) scope(c *component) error {
	s, err := r.text()
	if err != nil {
		return err
	}
	scope, known := scopeOf(s)
	if !known {
		r.noteHere("unknown scope " + quote(s))
	}
	if c.Scope = scope; scopeText(scope) != s {
		c.keep("scope", stringNode(s))
	}
	return nil
}
