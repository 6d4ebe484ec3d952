#!/usr/bin/env python3
"""A check that never fails checks nothing: each is shown a small house with one fault."""
import unittest

import check


def look(which, files):
    return which(files, check.includes(files))


class Checks(unittest.TestCase):
    def test_an_arrow_back_is_found(self):
        self.assertEqual(look(check.arrows, {'acl/a.hpp': '#include "broker/log/log.hpp"', 'broker/log/log.hpp': ''}), ['acl/a.hpp: acl may not include broker/log/log.hpp'])
        self.assertTrue(look(check.arrows, {'broker/router/a.cpp': '#include "broker/host/b.hpp"', 'broker/host/b.hpp': ''}))
        self.assertTrue(look(check.arrows, {'broker/codec/a.cpp': '#include "broker/log/b.hpp"', 'broker/log/b.hpp': ''}))
        self.assertTrue(look(check.arrows, {'broker/net/a.cpp': '#include "broker/broker.hpp"', 'broker/broker.hpp': ''}))
        self.assertTrue(look(check.arrows, {'plugins/sdk/a.hpp': '#include "plugins/x/b.hpp"', 'plugins/x/b.hpp': ''}))
        self.assertTrue(look(check.arrows, {'broker/host/a.cpp': '#include "plugins/x/b.hpp"', 'plugins/x/b.hpp': ''}))
        self.assertTrue(look(check.arrows, {'storage/a.cpp': '#include "tests/b.hpp"', 'tests/b.hpp': ''}))

    def test_an_arrow_forward_is_fine(self):
        self.assertFalse(look(check.arrows, {'broker/net/a.cpp': '#include "broker/codec/b.hpp"\n#include "acl/c.hpp"', 'broker/codec/b.hpp': '', 'acl/c.hpp': ''}))
        self.assertFalse(look(check.arrows, {'tests/a.cpp': '#include "broker/codec/b.hpp"', 'broker/codec/b.hpp': ''}))

    def test_cycles_are_found(self):
        self.assertTrue(look(check.cycles, {'acl/a.hpp': '#include "acl/b.hpp"', 'acl/b.hpp': '#include "acl/a.hpp"'}))
        self.assertTrue(look(check.cycles, {'plugins/x/a.hpp': '#include "plugins/y/b.hpp"', 'plugins/y/b.hpp': '', 'plugins/y/c.hpp': '#include "plugins/x/d.hpp"', 'plugins/x/d.hpp': ''}))
        self.assertFalse(look(check.cycles, {'acl/a.hpp': '#include "acl/b.hpp"', 'acl/b.hpp': ''}))

    def test_asio_in_a_pure_room_is_found_through_another_header(self):
        self.assertTrue(look(check.pure, {'broker/session/a.hpp': '#include "broker/shard/b.hpp"', 'broker/shard/b.hpp': '#include <boost/asio/io_context.hpp>'}))
        self.assertTrue(look(check.pure, {'broker/codec/a.cpp': 'x = std::chrono::steady_clock::now();'}))

    def test_asio_without_its_library_is_found(self):
        self.assertTrue(look(check.asio_is_linked, {'tools/x/a.cpp': '#include <boost/asio.hpp>', 'tools/x/CMakeLists.txt': 'airmail_room(x)'}))
        self.assertFalse(look(check.asio_is_linked, {'tools/x/a.cpp': '#include <boost/asio.hpp>', 'tools/x/CMakeLists.txt': 'airmail_room(x LINKS airmail::asio)'}))

    def test_unfinished_work_is_found(self):
        self.assertTrue(look(check.unfinished, {'acl/a.cpp': '// TO' + 'DO later'}))

    def test_sleeping_is_found(self):
        self.assertTrue(look(check.sleeping, {'tests/unit/a.cpp': 'std::this_thread::sleep_for(1s);'}))
        self.assertTrue(look(check.sleeping, {'tests/behaviour/a.py': 'time.sleep(1)'}))
        self.assertFalse(look(check.sleeping, {'acl/a.cpp': 'usleep(1);'}))

    def test_a_log_that_is_read_at_once_is_found(self):
        self.assertTrue(look(check.log_read_at_once, {'tests/e2e/a.cpp': 'CHECK(d.said().find("x") != std::string::npos);'}))
        self.assertFalse(look(check.log_read_at_once, {'tests/e2e/a.cpp': 'CHECK(d.says("x"));\nCHECK(d.said().find("secret") == std::string::npos);'}))

    def test_a_room_without_readme_is_found(self):
        self.assertTrue(look(check.readmes, {'broker/net/a.cpp': ''}))
        self.assertFalse(look(check.readmes, {'broker/net/a.cpp': '', 'broker/net/README.md': ''}))

    def test_wrong_metric_names_are_found(self):
        for line in ('metrics::counter a{"airmail_net_packets", "x"};', 'metrics::gauge a{"airmail_net_open_total", "x"};', 'metrics::histogram a{"airmail_net_wait_ms", "x"};',
                     'inline metrics::counter a("packets_total", "x");'):
            self.assertTrue(look(check.metric_names, {'broker/net/a.cpp': line}), line)
        self.assertFalse(look(check.metric_names, {'broker/net/a.cpp': 'metrics::counter a{"airmail_net_packets_total", "x"};'}))

    def test_settings_that_do_not_exist_are_found(self):
        files = {'broker/net/a.cpp': '#include "broker/config/config.hpp"\nc.flag("no_such"); c.number("yes_such");'}
        sample = '# x\n# (true or false; default true)\n#yes_such true\n'
        self.assertEqual(len(check.setting_names(files, {}, sample)), 2)

    def test_settings_that_nothing_reads_are_found(self):
        files = {'broker/config/table_x.cpp': '"unread" "read"', 'broker/net/a.cpp': 'c.flag("read");', 'tests/a.cpp': 'c.flag("unread")'}
        self.assertEqual(check.read_settings(files, {}, [('unread', 'obeyed'), ('read', 'obeyed'), ('not_yet', 'later')]), ['unread is marked as obeyed, and nothing reads it'])

    def test_members_of_settings_that_nothing_reads_are_found(self):
        files = {'broker/config/limits.hpp': 'struct limits {\n    std::uint32_t used = 1, lying{2};  // x\n    bool other = false;\n};\n', 'broker/listeners.cpp': 'r.x = m.used; m.other;'}
        self.assertEqual(check.read_settings(files, {}, []), ['broker/config/limits.hpp: limits::lying is read nowhere'])


if __name__ == '__main__':
    unittest.main()
