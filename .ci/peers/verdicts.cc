// SPDX-License-Identifier: Apache-2.0

// verdicts WIDTH HEIGHT DIFFERENCE MOG2: reads raw 8-bit luma from standard input and writes into each of the two files a
// 1 for each frame with motion, and else a 0: as the difference to the frame before sees it, and as OpenCV's MOG2 with its
// defaults does. Built and run by .ci/score-motion.

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>

int main(int argc, char **argv) {
	const int width = argc == 5 ? std::atoi(argv[1]) : 0, height = argc == 5 ? std::atoi(argv[2]) : 0;
	if (width < 1 || height < 1) {
		std::fprintf(stderr, "usage: verdicts WIDTH HEIGHT DIFFERENCE MOG2 <FILE\n");
		return 2;
	}
	std::FILE *difference = std::fopen(argv[3], "w"), *mog2 = std::fopen(argv[4], "w");
	if (!difference || !mog2) {
		std::perror("verdicts");
		return 1;
	}
	cv::setNumThreads(1);
	auto model = cv::createBackgroundSubtractorMOG2();
	cv::Mat frame(height, width, CV_8UC1), before, changed;
	const double least = 0.005 * width * height;
	const auto say = [&](std::FILE *to) { std::fputc(cv::countNonZero(changed) > least ? '1' : '0', to); };
	while (std::cin.read(reinterpret_cast<char *>(frame.data), static_cast<std::streamsize>(frame.total()))) {
		if (before.empty()) before = frame.clone();
		cv::absdiff(frame, before, changed);
		cv::threshold(changed, changed, 15, 255, cv::THRESH_BINARY);
		say(difference);
		frame.copyTo(before);

		model->apply(frame, changed);
		cv::threshold(changed, changed, 200, 255, cv::THRESH_BINARY); // shadows are 127
		say(mog2);
	}
	std::fputc('\n', difference);
	std::fputc('\n', mog2);
	return std::fclose(difference) | std::fclose(mog2);
}
