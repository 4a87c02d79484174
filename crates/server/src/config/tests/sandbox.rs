//! `[sandbox]`.

use super::load;
use crate::config::Flags;
use lamplight_engine::DiskLimit;

#[test]
fn who_puts_sandboxes_up_is_a_word_or_a_program() {
    let runtime =
        |file: &str| load(file, Flags::default(), &[]).map(|config| config.engine().sandbox.runtime);
    assert_eq!(runtime(""), Ok(None));
    assert_eq!(runtime("[sandbox]\nlauncher = 'own'\n"), Ok(None));
    assert_eq!(runtime("[sandbox]\nlauncher = 'crun'\n"), Ok(Some("crun".into())));
    assert_eq!(runtime("[sandbox]\nlauncher = '~/bin/crun'\n"), Ok(Some("/home/someone/bin/crun".into())));
    let error = runtime("[sandbox]\nlauncher = ''\n").unwrap_err();
    assert!(error.contains("sandbox.launcher is empty"), "{error}");
    let error = runtime("[sandbox]\nlauncher = 'crun'\ndisk_limit = 'volume'\n").unwrap_err();
    assert!(error.contains("sandbox.disk_limit = \"volume\" is only used with"), "{error}");
}

#[test]
fn how_the_disk_limit_is_held_is_chosen() {
    let disk_limit =
        |file: &str| load(file, Flags::default(), &[]).map(|config| config.engine().sandbox.disk_limit);
    assert_eq!(disk_limit(""), Ok(DiskLimit::Watched));
    assert_eq!(disk_limit("[sandbox]\ndisk_limit = 'volume'\n"), Ok(DiskLimit::Volume));
    let error = disk_limit("[sandbox]\ndisk_limit = 'quota'\n").unwrap_err();
    assert!(error.contains("watched") && error.contains("volume"), "{error}");
}
