package npm

func readPnpmLock(l *lockfile, data []byte) error  { return nil }
func readYarnLock(l *lockfile, data []byte) error  { return nil }
func readBerryLock(l *lockfile, data []byte) error { return nil }
