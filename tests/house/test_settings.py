"""Settings: what is wrong is said in one line with its place and the mend; secrets never show."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import SettingsError
from assistant.settings import Secret, load_settings


def wrong(tmp_path: Path, text: str) -> str:
    file = tmp_path / "payops.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    said = str(caught.value)
    assert "\n" not in said
    return said.replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[prometheus]\nurll = "x"\n', 'payops.toml:2: unknown key "prometheus.urll"; did you mean "url"?'),
        ("[promethius]\n", 'payops.toml:1: unknown key "promethius"; did you mean "prometheus"?'),
        ('[web]\n\nconsole_port = "80"\n', 'payops.toml:3: "web.console_port" wants a whole number, not str'),
        ("[slack]\nquiet = 1\n", 'payops.toml:2: "slack.quiet" wants true or false, not int'),
        ("[log]\ncheckpoints = [1]\n", 'payops.toml:2: "log.checkpoints" wants text, not int'),
        ("[loki\n", "payops.toml: not TOML"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert wrong(tmp_path, text).startswith(said)


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "absent.toml")


def test_a_table_of_another_room_is_not_confused(tmp_path: Path) -> None:
    said = wrong(tmp_path, '[prometheus]\nurl = "a"\n[loki]\nurl = "b"\ntennant = "c"\n')
    assert said.startswith('payops.toml:5: unknown key "loki.tennant"; did you mean "tenant"?')


def test_values_arrive_typed(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('[model]\ntemperature = 1\n[slack.routes.channels]\n"team=pay" = "C1"\n', encoding="utf-8")
    settings = load_settings(file, state=tmp_path)
    assert settings.model.temperature == 1.0
    assert settings.slack.routes.channels == {"team=pay": "C1"}
    assert settings.state == tmp_path


def test_a_secret_shows_its_place_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYOPS_T", "hunter2\n")
    secret = Secret(env="PAYOPS_T")
    assert secret.read() == "hunter2"
    assert "hunter2" not in repr(secret)
    with pytest.raises(SettingsError, match="PAYOPS_GONE is empty"):
        Secret(env="PAYOPS_GONE").read()
    with pytest.raises(SettingsError, match="secret file"):
        Secret(file=str(tmp_path / "no")).read()


def test_a_database_url_with_a_password_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://payops:s3cret@db/payops\n")
    config = tmp_path / "payops.toml"
    config.write_text(f'[log]\nurl_file = "{tmp_path}/url"\n[workflow]\nurl_file = "{tmp_path}/url"\n')
    settings = load_settings(config)
    assert settings.log.database() == settings.workflow.database() == "postgresql://payops:s3cret@db/payops"
    assert "s3cret" not in repr(settings)
    (tmp_path / "url").unlink()
    with pytest.raises(SettingsError, match="secret file"):
        settings.log.database()
