// SPDX-License-Identifier: Apache-2.0

// opencv FILE: reads raw 8-bit luma of 1280x720 and prints what OpenCV needs for one frame, on one thread, in
// nanoseconds of processor time. Built and run by .ci/bench-motion.

#include <cstdio>
#include <ctime>
#include <fstream>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>

static double now() {
	timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
	const int width = 1280, height = 720;
	const size_t most = 300, few = 24;
	std::ifstream in(argc > 1 ? argv[1] : "", std::ios::binary);
	std::vector<cv::Mat> film;
	while (film.size() < most) {
		cv::Mat frame(height, width, CV_8UC1);
		if (!in.read(reinterpret_cast<char *>(frame.data), static_cast<std::streamsize>(frame.total()))) break;
		film.push_back(frame);
	}
	if (film.size() < few) {
		std::fprintf(stderr, "opencv: FILE must hold at least %zu frames\n", few);
		return 1;
	}
	cv::setNumThreads(1);

	// As in BenchmarkDiff, frames of the same few: against a background, once to warm up and then measured.
	cv::Mat difference, mask;
	long changed = 0;
	const int rounds = 100;
	double start = 0;
	for (int round = -10; round < rounds; round++) {
		if (round == 0) start = now();
		for (size_t i = 0; i < few; i++) {
			cv::absdiff(film[i], film[few / 2], difference);
			cv::threshold(difference, mask, 25, 255, cv::THRESH_BINARY);
			changed += cv::countNonZero(mask);
		}
	}
	std::printf("absdiff %.0f\n", (now() - start) / rounds / few);

	auto mog2 = cv::createBackgroundSubtractorMOG2();
	const size_t warm = 20;
	for (size_t i = 0; i < film.size(); i++) {
		if (i == warm) start = now();
		mog2->apply(film[i], mask);
	}
	std::printf("mog2 %.0f\n", (now() - start) / (film.size() - warm));
	std::printf("version %s\n", CV_VERSION);
	std::fprintf(stderr, "%ld\n", changed + cv::countNonZero(mask)); // used, so not optimised away
	return 0;
}
