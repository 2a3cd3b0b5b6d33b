package npm

func readYarnLock(l *lockfile, data []byte) error  { return nil }
func readBerryLock(l *lockfile, data []byte) error { return nil }
