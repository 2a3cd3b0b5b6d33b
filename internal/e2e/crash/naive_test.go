package crash

func (c *child) naive() error { return nil }
